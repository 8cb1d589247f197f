import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { amiFor, amis, regions } from "../../config/amis";
import { formatCidr, overlaps, parseCidr, subnetOf } from "../../config/cidr";
import { cannotHoldRancher, cannotRun, floating, parseImage } from "../../config/imageReference";
import { images, imageRoles } from "../../config/images";
import { findInstanceType, memoryPlan } from "../../config/instanceTypes";
import { nearest } from "../../config/nearest";
import { ports } from "../../config/ports";

const anyCidr = fc
  .record({ address: fc.nat({ max: 2 ** 32 - 1 }), prefix: fc.integer({ min: 0, max: 32 }) })
  .map(({ address, prefix }) => ({ base: address - (address % 2 ** (32 - prefix)), prefix }));

describe("tables", () => {
  it("GIVEN a region without an image THEN the error lists those that have one", () => {
    assert.equal(amiFor("us-east-1"), amis["us-east-1"]);
    assert.throws(() => amiFor("mars-1"), new RegExp(`mars-1.*${regions.join(", ")}`));
    assert.throws(() => amiFor("toString"), /no RancherOS image/);
  });

  it("GIVEN the images' pins THEN each is exact, runs on the hosts and says why", () => {
    for (const role of imageRoles) {
      const pin = images[role];
      const image = parseImage(pin.reference);
      assert.ok(image !== undefined, role);
      assert.equal(floating(image), undefined, role);
      assert.equal(cannotRun(image), undefined, role);
      assert.ok(pin.why.length > 20 && pin.source.length > 10 && pin.base.length > 5, role);
    }
    const database = parseImage(images.rancherDatabase.reference);
    assert.ok(database !== undefined);
    assert.equal(cannotHoldRancher(database), undefined);
  });

  it("GIVEN image references THEN they are split as Docker does", () => {
    const split = (text: string) => {
      const image = parseImage(text);
      return image && [image.registry, image.repository, image.tag];
    };
    assert.deepEqual(split("mariadb"), [undefined, "mariadb", undefined]);
    assert.deepEqual(split("mariadb:10"), [undefined, "mariadb", "10"]);
    assert.deepEqual(split("docker.io/library/mariadb:10.1"), [undefined, "mariadb", "10.1"]);
    assert.deepEqual(split("rancher/server:v1.6.30"), [undefined, "rancher/server", "v1.6.30"]);
    assert.deepEqual(split("localhost/site:1"), ["localhost", "site", "1"]);
    assert.deepEqual(split("registry.example:5000/a/b:1"), ["registry.example:5000", "a/b", "1"]);
    assert.equal(split("a:b:c"), undefined);
    assert.equal(split(""), undefined);
    assert.equal(split("-x"), undefined);
  });

  it("GIVEN instance types THEN size or the reason against them comes back", () => {
    assert.deepEqual(findInstanceType("t2.small"), { vcpus: 1, memoryGiB: 2 });
    assert.deepEqual(findInstanceType("m5.xlarge"), { vcpus: 4, memoryGiB: 16 });
    assert.match(String(findInstanceType("constructor.large")), /family/);
    assert.match(String(findInstanceType("t3.medium.x")), /not the name/);
  });

  it("GIVEN more memory THEN the plan never gets smaller and always leaves a third to the rest", () => {
    const plans = ["t3.medium", "t3.large", "t3.xlarge", "m5.4xlarge"].map((name) => {
      const size = findInstanceType(name);
      assert.ok(typeof size !== "string");
      const plan = memoryPlan(name);
      const sum = plan.rancherHeapMiB + plan.rancherPoolMiB + plan.sitePoolMiB;
      assert.ok(sum <= (size.memoryGiB * 1024 * 2) / 3, name);
      return plan;
    });
    const heaps = plans.map((plan) => plan.rancherHeapMiB);
    assert.deepEqual(
      heaps,
      [...heaps].sort((a, b) => a - b),
    );
    assert.throws(() => memoryPlan("t3.small"), /2 GiB.*needs 4/);
    assert.throws(() => memoryPlan("t4g.large"), /arm64/);
  });

  it("GIVEN ports THEN no two of one protocol are the same", () => {
    const all = Object.values(ports).map((port) => `${port.protocol}/${port.number}`);
    assert.equal(new Set(all).size, all.length);
  });
});

describe("cidr", () => {
  it("GIVEN any range THEN its text reads back as itself", () => {
    fc.assert(
      fc.property(anyCidr, (cidr) => {
        assert.deepEqual(parseCidr(formatCidr(cidr)), cidr);
      }),
    );
  });

  it("GIVEN any text THEN reading it never throws", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseCidr(text);
        parseImage(text);
        findInstanceType(text);
      }),
    );
  });

  it("GIVEN two ranges THEN they overlap exactly when one contains the other's first address", () => {
    const inside = (address: number, of: { base: number; prefix: number }) =>
      address >= of.base && address < of.base + 2 ** (32 - of.prefix);
    fc.assert(
      fc.property(anyCidr, anyCidr, (a, b) => {
        assert.equal(overlaps(a, b), inside(a.base, b) || inside(b.base, a));
      }),
    );
  });

  it("GIVEN a range THEN its parts lie inside it and none overlaps another", () => {
    const parts = [0, 1, 2, 15].map((index) => subnetOf("10.7.0.0/16", 4, index));
    assert.deepEqual(parts, ["10.7.0.0/20", "10.7.16.0/20", "10.7.32.0/20", "10.7.240.0/20"]);
    assert.throws(() => subnetOf("10.7.0.0/16", 4, 16), /no part 16/);
    assert.throws(() => subnetOf("10.7.0.0/30", 4, 0), /no part 0/);
    assert.throws(() => subnetOf("10.7.0.1/16", 4, 0), /bits set/);
  });
});

describe("nearest", () => {
  it("GIVEN a word with one character missing THEN finds it again", () => {
    const words = ["agentCount", "wordpressScale", "sshPublicKey", "vpcCidr", "catalogUrl"];
    fc.assert(
      fc.property(fc.constantFrom(...words), fc.nat(), (word, at) => {
        const position = at % word.length;
        assert.equal(nearest(word.slice(0, position) + word.slice(position + 1), words), word);
      }),
    );
    assert.throws(() => nearest("x", []), /no word/);
  });
});
