import * as assert from "node:assert/strict";
import { overlap, parseRange, pickNumber, rangesOf, routedRanges } from "../ranges";

describe("address ranges of a lab", () => {
  it("GIVEN a range in CIDR form THEN its first and last address are read", () => {
    const { first, last } = parseRange("10.1.2.77/24");
    assert.equal(last - first, 255);
    assert.equal(first % 256, 0);
    assert.throws(() => parseRange("10.1.2/24"), /not an IPv4 range/);
  });

  it("GIVEN two ranges THEN they overlap exactly when they share an address", () => {
    const overlaps = (a: string, b: string) => overlap(parseRange(a), parseRange(b));
    assert.ok(overlaps("10.0.0.0/8", "10.200.1.0/24"));
    assert.ok(overlaps("10.1.0.0/16", "10.1.255.255"));
    assert.ok(!overlaps("10.1.0.0/16", "10.2.0.0/16"));
  });

  it("GIVEN routes WHEN one is the default THEN it claims no range", () => {
    const routes =
      "default via 192.0.2.1 dev eth0 \n10.100.0.0/16 dev br0 scope link\n192.0.2.9 dev x\n";
    assert.deepEqual(routedRanges(routes), [parseRange("10.100.0.0/16"), parseRange("192.0.2.9")]);
  });

  it("GIVEN a number in use WHEN picking THEN the next one is taken, around the end too", () => {
    const used = [parseRange(rangesOf(199).vpcCidr), parseRange(rangesOf(100).internetCidr)];
    assert.equal(
      pickNumber(99, used, () => true),
      101,
    );
  });

  it("GIVEN a number that another lab has reserved WHEN picking THEN it is passed over", () => {
    assert.equal(
      pickNumber(5, [], (n) => n !== 105),
      106,
    );
  });

  it("GIVEN everything in use WHEN picking THEN it says so", () => {
    assert.throws(
      () => pickNumber(0, [parseRange("10.0.0.0/8")], () => true),
      /no free address range/,
    );
  });

  it("GIVEN any number THEN its ranges are apart from Rancher's, Docker's and each other", () => {
    for (let n = 100; n < 200; n++) {
      const ranges = Object.values(rangesOf(n)).map(parseRange);
      for (const taken of ["10.42.0.0/16", "172.17.0.0/16", "172.18.0.0/16"]) {
        assert.ok(!ranges.some((range) => overlap(range, parseRange(taken))));
      }
    }
  });
});
