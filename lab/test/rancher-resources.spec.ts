import * as assert from "node:assert/strict";
import { renewed, shop } from "../../test/provider-unit/certificates";
import { basic, project, Rig, withRig, type Answer, type Json } from "./rancherRig";

const refusal = ({ status, body }: Answer): unknown[] => [
  status,
  body.code,
  ...("fieldName" in body ? [body.fieldName as string] : []),
];

/** Polls until the host is shown in this state. */
const host = (rig: Rig, id: string | undefined, state: string): Promise<unknown> =>
  rig.until(`${project}/hosts/${id ?? ""}`, (b) => b.state === state, state);

describe("resources of the lab's Rancher server", function () {
  this.timeout(60_000);

  describe("certificates", () => {
    const certificates = `${project}/certificates`;

    it(
      "GIVEN a certificate THEN its facts are read from it and its key is shown once",
      withRig(0, async (rig) => {
        const made = await rig.call("POST", certificates, {
          name: "shop",
          description: "for the shop",
          certChain: renewed.cert,
          ...{ cert: shop.cert, key: shop.key },
        });
        assert.equal(made.status, 201);
        assert.deepEqual(
          [made.body.state, made.body.transitioning, made.body.key],
          ["activating", "yes", shop.key],
        );
        const path = `${certificates}/${String(made.body.id)}`;
        const body = await rig.active(path);
        const { CN, algorithm, certFingerprint, expiresAt, issuer, issuedAt, key } = body;
        assert.deepEqual(
          { CN, algorithm, certFingerprint, expiresAt, issuer, issuedAt, key },
          {
            CN: "shop.example.com",
            algorithm: "SHA256withECDSA",
            certFingerprint: "ed:c0:23:80:c6:f7:94:d2:3e:f5:fc:21:fa:db:f5:36:88:5f:65:b4",
            expiresAt: "Wed Oct 30 14:03:01 UTC 2126",
            issuer: "CN=Test Authority",
            issuedAt: "Mon Nov 23 14:03:01 UTC 2026",
            key: null,
          },
        );
        assert.deepEqual(
          [body.id, body.version, body.keySize, body.serialNumber, body.subjectAlternativeNames],
          [
            "1c1",
            "3",
            null,
            "484243728429805545694556257887022460097557916494",
            ["shop.example.com", "www.example.com"],
          ],
        );
        assert.deepEqual([body.cert, body.certChain], [shop.cert, renewed.cert]);
        assert.deepEqual(Object.keys(body.actions as Json), ["update", "remove"]);
        const list = await rig.get(`${certificates}?name=shop`);
        assert.deepEqual(
          (list.data as Json[]).map((c) => [c.id, c.key]),
          [["1c1", null]],
        );
      }),
    );

    it(
      "GIVEN mistakes THEN they are refused",
      withRig(0, async (rig) => {
        const post = (body: Json): Promise<Answer> => rig.call("POST", certificates, body);
        const { cert, key } = shop;
        assert.deepEqual(refusal(await post({ cert, key })), [422, "MissingRequired", "name"]);
        assert.deepEqual(refusal(await post({ name: "a", key })), [422, "MissingRequired", "cert"]);
        assert.deepEqual(refusal(await post({ name: "a", cert })), [422, "MissingRequired", "key"]);
        assert.deepEqual(refusal(await post({ name: "a", cert: "x", key })), [
          422,
          "InvalidFormat",
        ]);
        assert.equal((await post({ name: "a", cert, key: "never looked at" })).status, 201);
        assert.deepEqual(refusal(await post({ name: "A", cert, key })), [422, "NotUnique", "name"]);
        assert.deepEqual(
          refusal(await rig.call("POST", "/v2-beta/certificates", { name: "b", cert, key })),
          [405, "Method not allowed"],
        );
      }),
    );

    it(
      "GIVEN a PUT THEN certificate and facts change in place; without a certificate it is refused",
      withRig(0, async (rig) => {
        const { id } = await rig.post(certificates, { name: "a", cert: shop.cert, key: shop.key });
        const path = `${certificates}/${String(id)}`;
        await rig.active(path);
        const put = await rig.call("PUT", path, { cert: renewed.cert, key: renewed.key });
        assert.deepEqual(
          [put.status, put.body.state, put.body.CN, put.body.key],
          [200, "updating-active", "new.example.com", null],
        );
        const body = await rig.active(path);
        assert.deepEqual([body.CN, body.name], ["new.example.com", "a"]);
        assert.deepEqual(refusal(await rig.call("PUT", path, { name: "b" })), [
          422,
          "InvalidFormat",
        ]);
        const same = await rig.call("PUT", path, { cert: renewed.cert });
        assert.deepEqual([same.status, same.body.state], [200, "active"]);
      }),
    );

    it(
      "GIVEN a balancer that uses it THEN it stays until the balancer has gone",
      withRig(0, async (rig) => {
        const stackId = await rig.stack();
        const { id } = await rig.post(certificates, { name: "a", cert: shop.cert, key: shop.key });
        const path = `${certificates}/${String(id)}`;
        await rig.active(path);
        const lb = await rig.post(`${project}/loadbalancerservices`, {
          name: "lb",
          stackId,
          launchConfig: { imageUuid: "docker:lb" },
          lbConfig: { portRules: [], certificateIds: [id] },
        });
        assert.deepEqual(lb.lbConfig.certificateIds, ["1c1"]);
        const refused = await rig.call("DELETE", path);
        assert.deepEqual(refusal(refused), [405, "InvalidAction"]);
        assert.match(String(refused.body.message), /load balancer services: lb$/);
        await rig.call("DELETE", `${project}/loadbalancerservices/${String(lb.id)}`);
        await rig.until(
          `${project}/loadbalancerservices/${String(lb.id)}`,
          (b) => b.state === "removed",
        );
        const removed = await rig.call("DELETE", path);
        assert.deepEqual([removed.status, removed.body.state], [200, "removing"]);
        const gone = (await rig.until(path, (b) => b.state === "removed")).body;
        assert.equal(gone.key, null);
        await rig.post(certificates, { name: "a", cert: shop.cert, key: shop.key });
      }),
    );
  });

  describe("environments", () => {
    const environments = "/v2-beta/projects";
    const owner = { externalId: "1a1", externalIdType: "rancher_id", role: "owner" };

    async function make(rig: Rig, more: Json = {}): Promise<string> {
      const { id } = await rig.post(environments, { name: "other", ...more });
      const path = `${environments}/${String(id)}`;
      await rig.active(path);
      return path;
    }

    async function members(rig: Rig, path: string): Promise<Json[]> {
      const found = (await rig.get(`${path}/projectmembers`)).data as Json[];
      return found.map(({ externalId, externalIdType, role }) => ({
        externalId: externalId as string,
        externalIdType: externalIdType as string,
        role: role as string,
      }));
    }

    it(
      "GIVEN all fields THEN they are kept, and the template's stacks come",
      withRig(0, async (rig) => {
        const { body } = await rig.until(
          "/v2-beta/projecttemplates?name=Cattle&isPublic=true",
          (b) => (b.data as Json[]).length === 1,
        );
        const template = String((body.data as Json[])[0]?.id);
        const fields = {
          uuid: "11111111-2222-3333-4444-555555555555",
          description: "d",
          projectTemplateId: template,
          hostRemoveDelaySeconds: 60,
          virtualMachine: true,
        };
        const path = await make(rig, { ...fields, servicesPortRange: { startPort: 1000 } });
        const now = await rig.get(path);
        for (const [field, value] of Object.entries(fields)) assert.equal(now[field], value, field);
        assert.deepEqual(now.servicesPortRange, {
          type: "servicesPortRange",
          startPort: 1000,
          endPort: 65535,
        });
        assert.equal(((await rig.get(`${path}/stacks`)).data as Json[]).length, 4);
        const found = (await rig.get(`${environments}?uuid=${fields.uuid}`)).data as Json[];
        assert.deepEqual(
          found.map((p) => p.name as string),
          ["other"],
        );
        assert.deepEqual(
          refusal(await rig.call("POST", environments, { name: "twin", uuid: fields.uuid })),
          [422, "NotUnique", "uuid"],
        );
        assert.deepEqual(
          refusal(await rig.call("POST", environments, { projectTemplateId: "1pt99" })),
          [422, "InvalidReference", "projectTemplateId"],
        );
      }),
    );

    it(
      "GIVEN no template THEN the default one is attached",
      withRig(0, async (rig) => {
        const path = await make(rig);
        const { body } = await rig.until(path, (b) => b.projectTemplateId !== null);
        assert.equal(body.projectTemplateId, "1pt1");
      }),
    );

    it(
      "GIVEN members THEN setmembers replaces them, and one must be an owner",
      withRig(0, async (rig) => {
        const path = await make(rig);
        assert.deepEqual(await members(rig, path), [owner]);
        const guest = { externalId: "1a2", externalIdType: "rancher_id", role: "member" };
        const set = (given: unknown): Promise<Answer> =>
          rig.call("POST", `${path}/?action=setmembers`, { members: given });
        const answer = await set([owner, guest, guest]);
        assert.deepEqual(
          [answer.status, (answer.body.data as Json[]).map((m) => [m.role, m.projectId])],
          [
            200,
            [
              ["owner", "1a6"],
              ["member", "1a6"],
            ],
          ],
        );
        assert.deepEqual(await members(rig, path), [owner, guest]);
        assert.deepEqual(refusal(await set([])), [422, "MissingRequired", "members"]);
        assert.deepEqual(refusal(await set([guest])), [400, "InvalidFormat"]);
        assert.deepEqual(refusal(await set([{ role: "owner" }])), [400, "InvalidFormat"]);
        await set([owner]);
        assert.deepEqual(await members(rig, path), [owner]);
        const refused = await rig.call("POST", environments, { name: "x", members: [guest] });
        assert.deepEqual(refusal(refused), [400, "InvalidFormat"]);
        assert.equal(((await rig.get(`${environments}?name=x`)).data as Json[]).length, 0);
        const given = await make(rig, { members: [{ ...owner, externalId: "1a2" }] });
        assert.deepEqual(await members(rig, given), [{ ...owner, externalId: "1a2" }]);
      }),
    );

    it(
      "GIVEN a PUT THEN what differs is changed, equal values change nothing",
      withRig(0, async (rig) => {
        const path = await make(rig, { hostRemoveDelaySeconds: 5 });
        const put = await rig.call("PUT", path, {
          name: "new",
          description: "d",
          hostRemoveDelaySeconds: null,
          virtualMachine: true,
          servicesPortRange: { startPort: 2000, endPort: 3000 },
        });
        assert.deepEqual([put.status, put.body.state], [200, "updating-active"]);
        const now = await rig.active(path);
        assert.deepEqual(
          [now.name, now.description, now.hostRemoveDelaySeconds, now.virtualMachine],
          ["new", "d", null, true],
        );
        assert.equal(now.servicesPortRange.endPort, 3000);
        assert.equal((await rig.call("PUT", path, { name: "new" })).body.state, "active");
        await rig.call("PUT", path, { servicesPortRange: null });
        assert.equal((await rig.active(path)).servicesPortRange.startPort, 49153);
      }),
    );

    it(
      "GIVEN a removal THEN everything in it goes, below is 403, the environment itself stays readable",
      withRig(0, async (rig) => {
        const path = await make(rig);
        const key = await rig.post(`${path}/apikeys`, { name: "k" });
        await rig.active(`${path}/apikeys/${String(key.id)}`);
        const stack = await rig.post(`${path}/stacks`, { name: "s" });
        const removed = await rig.call("DELETE", path);
        assert.equal(removed.status, 200);
        assert.equal((removed.body.data as Json[])[0]?.state, "removing");
        await rig.until(path, (b) => b.state === "removed");
        for (const below of ["stacks", "stacks/1st99", "projectmembers", "apikeys"])
          assert.equal((await rig.call("GET", `${path}/${below}`)).status, 403, below);
        assert.equal(((await rig.get(`${environments}?name=other`)).data as Json[]).length, 0);
        const left = rig.server.app.db.stacks.get(Number(String(stack.id).slice(3)));
        while (left?.removed === null) await new Promise((r) => setTimeout(r, 5));
        const header = {
          ...basic(String(key.publicValue), String(key.secretValue)),
          "X-Enforce-Authentication": "true",
        };
        assert.equal((await rig.call("GET", "/v2-beta", undefined, header)).status, 401);
        await rig.call("POST", `${path}/?action=purge`);
        assert.equal((await rig.get(path)).state, "purged");
      }),
    );

    it(
      "GIVEN an environment's key THEN it neither makes, changes nor removes environments",
      withRig(0, async (rig) => {
        const key = await rig.post(`${project}/apikeys`, {});
        await rig.active(`${project}/apikeys/${String(key.id)}`);
        const header = basic(String(key.publicValue), String(key.secretValue));
        for (const [method, path] of [
          ["POST", environments],
          ["PUT", `${environments}/1a5`],
          ["DELETE", `${environments}/1a5`],
        ] as const)
          assert.deepEqual(refusal(await rig.call(method, path, { name: "x" }, header)), [
            405,
            "Method not allowed",
          ]);
        const second = await rig.call("POST", "/v2-beta/apikeys", { accountId: "1a1" }, header);
        assert.deepEqual([second.status, second.body.accountId], [201, "1a5"]);
      }),
    );

    it("GIVEN a removal delay THEN a host that stays away that long is removed", async () => {
      const rig = await new Rig(undefined, {}, { reconnecting: 100, disconnected: 100 }).start();
      try {
        const one = await rig.addHost(1);
        const two = await rig.addHost(2);
        one.stop();
        await host(rig, one.hostId, "disconnected");
        await new Promise((r) => setTimeout(r, 100));
        await host(rig, one.hostId, "disconnected");
        await rig.call("PUT", project, { hostRemoveDelaySeconds: 0 });
        await host(rig, one.hostId, "removed");
        await host(rig, two.hostId, "active");
        await rig.call("PUT", project, { hostRemoveDelaySeconds: 1 });
        two.stop();
        await host(rig, two.hostId, "disconnected");
        const since = Date.now();
        await host(rig, two.hostId, "removed");
        assert.ok(Date.now() - since > 800);
      } finally {
        await rig.stop();
      }
    });
  });

  describe("settings", () => {
    const settings = "/v2-beta/settings";

    it(
      "GIVEN a removal THEN the server's own value is back, and nothing is there to be removed again",
      withRig(0, async (rig) => {
        const path = `${settings}/telemetry.opt`;
        await rig.call("PUT", path, { value: "in" });
        const removed = await rig.call("DELETE", path);
        assert.deepEqual(
          [removed.status, removed.body.activeValue, removed.body.inDb],
          [200, "in", false],
        );
        const now = await rig.get(path);
        assert.deepEqual(
          [now.activeValue, now.value, now.source, now.inDb],
          ["out", "out", "Code Packaged Defaults", false],
        );
        assert.equal((await rig.call("DELETE", path)).status, 404);
        await rig.post(settings, { name: "telemetry.opt", value: "in" });
        assert.deepEqual((await rig.get(path)).source, "Database");
      }),
    );

    it(
      "GIVEN POST twice THEN the second changes the first, and shows the value in effect until then",
      withRig(0, async (rig) => {
        const first = await rig.call("POST", settings, { name: "my.own", value: "1" });
        assert.deepEqual(
          [first.status, first.body.activeValue, first.body.inDb],
          [201, null, false],
        );
        const second = await rig.call("POST", settings, { name: "my.own", value: "2" });
        assert.deepEqual(
          [second.status, second.body.value, second.body.activeValue, second.body.inDb],
          [201, "2", "1", true],
        );
        assert.equal((await rig.get(`${settings}/my.own`)).activeValue, "2");
      }),
    );

    it(
      "GIVEN a setting of the environment THEN what is written has no effect",
      withRig(
        0,
        async (rig) => {
          const path = `${settings}/api.host`;
          await rig.call("PUT", path, { value: "http://192.0.2.2" });
          const now = await rig.get(path);
          assert.deepEqual(
            [now.activeValue, now.value, now.source, now.inDb],
            ["http://192.0.2.1:8080", "http://192.0.2.2", "Environment Variables", true],
          );
          await rig.call("DELETE", path);
          assert.equal((await rig.get(path)).activeValue, "http://192.0.2.1:8080");
        },
        () => new Rig(undefined, { CATTLE_API_HOST: "http://192.0.2.1:8080" }),
      ),
    );
  });

  describe("API keys", () => {
    for (const [what, path, account] of [
      ["an account's", "/v2-beta/apikeys", "1a1"],
      ["an environment's", `${project}/apikeys`, "1a5"],
    ] as const) {
      it(
        `GIVEN ${what} key THEN it works once active, is renamed, and goes after it was deactivated`,
        withRig(0, async (rig) => {
          const made = await rig.post(path, { name: "k", description: "d" });
          assert.deepEqual([made.state, made.accountId], ["registering", account]);
          const header = {
            ...basic(String(made.publicValue), String(made.secretValue)),
            "X-Enforce-Authentication": "true",
          };
          const look = async (): Promise<number> =>
            (await rig.call("GET", "/v2-beta", undefined, header)).status;
          assert.equal(await look(), 401);
          const self = `${path}/${String(made.id)}`;
          const body = await rig.active(self);
          assert.equal(body.secretValue, null);
          assert.equal(await look(), 200);
          const put = await rig.call("PUT", self, { name: "new", description: null });
          assert.deepEqual(
            [put.status, put.body.name, put.body.description, put.body.secretValue],
            [200, "new", null, null],
          );
          assert.equal((await rig.call("DELETE", self)).status, 405);
          const off = await rig.call("POST", `${self}/?action=deactivate`);
          assert.match(String(off.body.secretValue), /^SHA256:/);
          await rig.until(self, (b) => b.state === "inactive");
          assert.equal(await look(), 401);
          assert.equal((await rig.call("DELETE", self)).status, 200);
          await rig.until(self, (b) => b.state === "removed");
        }),
      );
    }
  });
});
