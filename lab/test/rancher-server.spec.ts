import * as assert from "node:assert/strict";
import { haproxyConfig } from "../rancher/server/haproxy";
import { MysqlStore } from "../rancher/server/mysqlStore";
import { MemoryStore, type Store } from "../rancher/server/store";
import { basic, project, Rig, withRig, type Answer, type Json } from "./rancherRig";

describe("the lab's Rancher server", function () {
  this.timeout(120_000);

  describe("basics", () => {
    it(
      "GIVEN a new server THEN ping, root, project, template and system stacks are there",
      withRig(0, async (rig) => {
        assert.equal((await rig.call("GET", "/ping")).body.text, "pong\n");
        assert.equal((await rig.get("/v2-beta")).id, "v2-beta");
        const projects = await rig.get("/v2-beta/projects?uuid=adminProject");
        assert.deepEqual(
          projects.data.map((p: Json) => [p.id, p.name, p.state]),
          [["1a5", "Default", "active"]],
        );
        await rig.until("/v2-beta/projecttemplates?name=Cattle", (b) => b.data.length === 1);
        const stacks = await rig.get(`${project}/stacks?system=true`);
        assert.deepEqual(
          stacks.data.map((s: Json) => s.name),
          ["network-services", "ipsec", "scheduler", "healthcheck"],
        );
        assert.deepEqual([...new Set(stacks.data.map((s: Json) => s.healthState))], ["unhealthy"]);
      }),
    );

    it(
      "GIVEN Host and X-Forwarded headers THEN links are built from them",
      withRig(0, async (rig) => {
        const plain = await rig.get("/v2-beta/projects/1a5");
        assert.equal(plain.links.self, `${rig.server.url}/v2-beta/projects/1a5`);
        const { body } = await rig.call("GET", "/v2-beta/projects/1a5", undefined, {
          "X-Forwarded-Proto": "https",
          "X-Forwarded-Host": "rancher.example.com",
          "X-Forwarded-Port": "443",
        });
        assert.equal(body.links.self, "https://rancher.example.com/v2-beta/projects/1a5");
      }),
    );

    const errors: [string, string, string, unknown, number, string, string | undefined][] = [
      ["an unknown id", "GET", `${project}/stacks/1st999`, undefined, 404, "Not Found", undefined],
      [
        "PUT of an unknown service",
        "PUT",
        `${project}/services/1s999`,
        { scale: 1 },
        500,
        "Internal Server Error",
        undefined,
      ],
      [
        "DELETE of an unknown stack",
        "DELETE",
        `${project}/stacks/1st999`,
        undefined,
        500,
        "Internal Server Error",
        undefined,
      ],
      [
        "an unknown project",
        "GET",
        "/v2-beta/projects/1a999/stacks",
        undefined,
        403,
        "Forbidden",
        undefined,
      ],
      [
        "an account as project",
        "GET",
        "/v2-beta/projects/1a1/stacks",
        undefined,
        403,
        "Forbidden",
        undefined,
      ],
      ["PUT of a collection", "PUT", `${project}/stacks`, {}, 405, "Method not allowed", undefined],
      ["PATCH", "PATCH", `${project}/stacks`, {}, 405, "Method not allowed", undefined],
      [
        "a token outside a project",
        "POST",
        "/v2-beta/registrationtokens",
        {},
        405,
        "Method not allowed",
        undefined,
      ],
      ["bad JSON", "POST", `${project}/stacks`, "{bad json", 400, "InvalidBodyContent", undefined],
      ["a stack without name", "POST", `${project}/stacks`, {}, 422, "MissingRequired", "name"],
      [
        "a stack with a bad name",
        "POST",
        `${project}/stacks`,
        { name: "-bad-" },
        422,
        "InvalidCharacters",
        "name",
      ],
      [
        "a stack with a long name",
        "POST",
        `${project}/stacks`,
        { name: "x".repeat(64) },
        422,
        "MaxLengthExceeded",
        "name",
      ],
      [
        "a stack that exists",
        "POST",
        `${project}/stacks`,
        { name: "WP" },
        422,
        "NotUnique",
        "name",
      ],
      [
        "a service without stack",
        "POST",
        `${project}/services`,
        { name: "x" },
        422,
        "InvalidState",
        "stackId",
      ],
      [
        "a service in no stack",
        "POST",
        `${project}/services`,
        { name: "x", stackId: "1st999" },
        422,
        "InvalidReference",
        "stackId",
      ],
      [
        "a negative scale",
        "POST",
        `${project}/services`,
        { name: "x", stackId: "STACK", scale: -1 },
        422,
        "MinLimitExceeded",
        "scale",
      ],
      [
        "a scale in words",
        "POST",
        `${project}/services`,
        { name: "x", stackId: "STACK", scale: "two" },
        422,
        "InvalidFormat",
        "scale",
      ],
      [
        "a bad port",
        "POST",
        `${project}/services`,
        { name: "x", stackId: "STACK", launchConfig: { imageUuid: "docker:a", ports: ["bogus"] } },
        422,
        "PortWrongFormat",
        undefined,
      ],
      [
        "no image",
        "POST",
        `${project}/services`,
        { name: "x", stackId: "STACK", launchConfig: {} },
        422,
        "InvalidOption",
        "Image is required when selectorContainer is not passed in",
      ],
      [
        "a bad image",
        "POST",
        `${project}/services`,
        { name: "x", stackId: "STACK", launchConfig: { imageUuid: "a" } },
        422,
        "InvalidReference",
        "imageUuid",
      ],
      [
        "a check without port",
        "POST",
        `${project}/services`,
        { name: "x", stackId: "STACK", launchConfig: { imageUuid: "docker:a", healthCheck: {} } },
        422,
        "MissingRequired",
        "port",
      ],
      [
        "labels as a list",
        "POST",
        `${project}/services`,
        { name: "x", stackId: "STACK", launchConfig: { imageUuid: "docker:a", labels: ["x"] } },
        422,
        "InvalidFormat",
        "labels",
      ],
      [
        "a balancer without rules",
        "POST",
        `${project}/loadbalancerservices`,
        { name: "x", stackId: "STACK", launchConfig: { imageUuid: "docker:a" } },
        422,
        "MissingRequired",
        "lbConfig",
      ],
      [
        "a rule without port",
        "POST",
        `${project}/loadbalancerservices`,
        {
          name: "x",
          stackId: "STACK",
          launchConfig: { imageUuid: "docker:a" },
          lbConfig: { portRules: [{ serviceId: "1s1", targetPort: 80 }] },
        },
        422,
        "MissingRequired",
        "sourcePort",
      ],
      [
        "a rule to no service",
        "POST",
        `${project}/loadbalancerservices`,
        {
          name: "x",
          stackId: "STACK",
          launchConfig: { imageUuid: "docker:a" },
          lbConfig: { portRules: [{ sourcePort: 80, serviceId: "1s999", targetPort: 80 }] },
        },
        422,
        "InvalidReference",
        "serviceId",
      ],
    ];
    it(
      "GIVEN mistakes THEN each gets the recorded status, code and field",
      withRig(0, async (rig) => {
        const stack = await rig.stack("wp");
        for (const [what, method, path, body, status, code, field] of errors) {
          const sent =
            body === undefined
              ? undefined
              : typeof body === "string"
                ? body
                : JSON.stringify(body).replace("STACK", stack);
          const answer = await rig.call(method, path, sent);
          assert.deepEqual(
            [answer.status, answer.body.code, answer.body.fieldName],
            [status, code, field],
            `${what}: ${JSON.stringify(answer.body)}`,
          );
          assert.equal(answer.body.type, "error", what);
        }
        assert.equal((await rig.call("GET", "/v2-beta/%zz")).status, 400);
        assert.equal((await rig.call("GET", "/v3/projects")).status, 404);
      }),
    );

    it(
      "GIVEN collections THEN filters, sorting and paging work as recorded",
      withRig(0, async (rig) => {
        for (const name of ["page-0", "page-1", "page-2", "Other"]) await rig.stack(name);
        const names = async (query: string): Promise<string[]> =>
          (await rig.get(`${project}/stacks?system=false&${query}`)).data.map((s: Json) => s.name);
        assert.deepEqual(await names("name=PAGE-1"), ["page-1"]);
        assert.deepEqual(await names("name_like=page-%25"), ["page-0", "page-1", "page-2"]);
        assert.deepEqual(await names("name_prefix=page&name_ne=page-1"), ["page-0", "page-2"]);
        assert.deepEqual(await names("sort=name&order=desc"), [
          "page-2",
          "page-1",
          "page-0",
          "Other",
        ]);
        assert.deepEqual(await names("bogus=1&sort=bogus"), [
          "page-0",
          "page-1",
          "page-2",
          "Other",
        ]);
        assert.deepEqual(await names("state=active&state=removed"), []);
        const first = await rig.get(`${project}/stacks?system=false&limit=3&sort=name`);
        assert.equal(first.pagination.partial, true);
        const second = await rig.get(
          String(first.pagination.next).replace("limit", "system=false&limit"),
        );
        assert.deepEqual(
          [...first.data, ...second.data].map((s: Json) => s.name),
          ["Other", "page-0", "page-1", "page-2"],
        );
      }),
    );

    it(
      "GIVEN settings THEN a write shows the old active value and the next read the new one; env wins",
      withRig(
        0,
        async (rig) => {
          const put = await rig.call("PUT", "/v2-beta/settings/telemetry.opt", { value: "in" });
          assert.deepEqual([put.status, put.body.value, put.body.activeValue], [200, "in", "out"]);
          const got = await rig.get("/v2-beta/settings/telemetry.opt");
          assert.deepEqual([got.activeValue, got.source, got.inDb], ["in", "Database", true]);
          const unknown = await rig.call("GET", "/v2-beta/settings/no.such");
          assert.deepEqual(
            [unknown.status, unknown.body.value, unknown.body.type],
            [200, null, "activeSetting"],
          );
          await rig.call("PUT", "/v2-beta/settings/api.host", { value: "http://elsewhere" });
          assert.equal(
            (await rig.get("/v2-beta/settings/api.host")).activeValue,
            "http://rancher.test:8080",
          );
          const token = await rig.registrationToken();
          assert.match(
            String(token.registrationUrl),
            /^http:\/\/rancher\.test:8080\/v1\/scripts\/[0-9A-F]{20}:\d+:/,
          );
        },
        () => new Rig(undefined, { CATTLE_API_HOST: "http://rancher.test:8080" }),
      ),
    );
  });

  describe("access", () => {
    it(
      "GIVEN an open server WHEN access is closed in the recommended order THEN only the key and the login get in",
      withRig(
        0,
        async (rig) => {
          const truth = { "X-ENFORCE-AUTHENTICATION": "true" };
          // Open: even a wrong key is admin, unless the truth is asked for.
          assert.equal(
            (await rig.call("GET", "/v2-beta/projects", undefined, basic("no", "no"))).status,
            200,
          );
          assert.equal(
            (
              await rig.call("GET", "/v2-beta/projects", undefined, {
                ...basic("no", "no"),
                ...truth,
              })
            ).status,
            401,
          );

          const made = await rig.call("POST", "/v2-beta/apikeys", { name: "deployer" });
          assert.equal(made.status, 201);
          assert.equal(made.body.state, "registering");
          assert.equal(made.body.accountId, "1a1");
          const key = basic(String(made.body.publicValue), String(made.body.secretValue));
          assert.equal(
            (await rig.call("GET", "/v2-beta/projects", undefined, { ...key, ...truth })).status,
            401,
          );
          const ready = await rig.active(`/v2-beta/apikeys/${String(made.body.id)}`);
          assert.equal(ready.secretValue, null);
          assert.equal(
            (await rig.call("GET", "/v2-beta/projects", undefined, { ...key, ...truth })).status,
            200,
          );

          const config = {
            type: "localAuthConfig",
            accessMode: "unrestricted",
            name: "Admin",
            username: "admin",
          };
          const noPassword = await rig.call("POST", "/v2-beta/localauthconfigs", {
            ...config,
            enabled: true,
          });
          assert.deepEqual([noPassword.status, noPassword.body.fieldName], [422, "password"]);
          const on = await rig.call("POST", "/v2-beta/localauthconfigs", {
            ...config,
            enabled: true,
            password: "Secret123",
          });
          assert.deepEqual([on.status, on.body.enabled], [201, true]);

          const anonymous = await rig.call("GET", "/v2-beta/projects");
          assert.equal(anonymous.status, 401);
          assert.match(
            anonymous.headers.get("www-authenticate") ?? "",
            /^Basic realm="Enter API access key/,
          );
          assert.equal((await rig.call("GET", "/ping")).status, 200);
          assert.equal((await rig.call("GET", "/v2-beta/token")).status, 200);
          assert.equal((await rig.call("GET", "/v2-beta/projects", undefined, key)).status, 200);
          assert.equal(
            (await rig.call("GET", "/v2-beta/projects", undefined, basic("admin", "Secret123")))
              .status,
            401,
          );

          assert.equal(
            (await rig.call("POST", "/v2-beta/token", { code: "admin:wrong" })).status,
            401,
          );
          const login = await rig.call("POST", "/v2-beta/token", { code: "admin:Secret123" });
          assert.equal(login.status, 201);
          const bearer = { Authorization: `Bearer ${String(login.body.jwt)}` };
          assert.equal((await rig.call("GET", "/v2-beta/projects", undefined, bearer)).status, 200);
          const cookie = `token=${String(login.body.jwt)}`;
          const mismatch = await rig.call(
            "POST",
            `${project}/stacks`,
            { name: "x" },
            { Cookie: `${cookie}; CSRF=A`, "X-API-CSRF": "B" },
          );
          assert.deepEqual([mismatch.status, mismatch.body.code], [403, "InvalidCSRFToken"]);
          assert.equal(
            (await rig.call("POST", `${project}/stacks`, { name: "x" }, { Cookie: cookie })).status,
            201,
          );

          const other = await rig.call(
            "POST",
            "/v2-beta/localauthconfigs",
            { ...config, enabled: true, password: "Other456" },
            key,
          );
          assert.deepEqual([other.status, other.body.code], [401, "IncorrectPassword"]);

          assert.equal(
            (await rig.call("DELETE", "/v2-beta/token/current", undefined, bearer)).status,
            204,
          );
          assert.equal((await rig.call("GET", "/v2-beta/projects", undefined, bearer)).status, 401);

          // A key goes in two steps.
          const path = `/v2-beta/apikeys/${String((await rig.call("POST", "/v2-beta/apikeys", {}, key)).body.id)}`;
          const state = async (): Promise<unknown> =>
            (await rig.call("GET", path, undefined, key)).body.state;
          while ((await state()) !== "active");
          assert.equal((await rig.call("DELETE", path, undefined, key)).status, 405);
          assert.equal(
            (await rig.call("POST", `${path}/?action=deactivate`, undefined, key)).status,
            202,
          );
          while ((await state()) !== "inactive");
          assert.equal((await rig.call("DELETE", path, undefined, key)).status, 200);
          while ((await state()) !== "removed");

          const off = await rig.call(
            "POST",
            "/v2-beta/localauthconfigs",
            { ...config, enabled: false, password: "Secret123" },
            key,
          );
          assert.equal(off.status, 201);
          assert.equal((await rig.call("GET", "/v2-beta/projects")).status, 200);
        },
        // A key that is not active yet is seen on a slow machine, too.
        () => new Rig(undefined, {}, { transition: 500 }),
      ),
    );

    it(
      "GIVEN an environment key THEN unscoped paths are its environment and others are forbidden",
      withRig(0, async (rig) => {
        await rig.stack("wp");
        const other = await rig.post("/v2-beta/projects", { name: "second" });
        const made = await rig.post("/v2-beta/apikeys", { accountId: "1a5" });
        await rig.active(`/v2-beta/apikeys/${String(made.id)}`);
        const key = basic(String(made.publicValue), String(made.secretValue));
        const stacks = await rig.call("GET", "/v2-beta/stacks?system=false", undefined, key);
        assert.deepEqual(
          stacks.body.data.map((s: Json) => s.name),
          ["wp"],
        );
        assert.equal(stacks.headers.get("x-api-account-kind"), "project");
        const forbidden = await rig.call(
          "GET",
          `/v2-beta/projects/${String(other.id)}/stacks`,
          undefined,
          key,
        );
        assert.equal(forbidden.status, 403);
        assert.equal(
          (await rig.call("PUT", "/v2-beta/settings/api.host", { value: "x" }, key)).status,
          405,
        );
      }),
    );
  });

  describe("hosts", () => {
    it(
      "GIVEN a registration token THEN its script is served, a machine registers once and becomes active",
      withRig(0, async (rig) => {
        const token = await rig.registrationToken();
        assert.match(
          String(token.command),
          /^sudo docker run --rm --privileged .* rancher\/agent:v1\.2\.11 http/,
        );
        const script = await rig.call("GET", String(token.registrationUrl));
        assert.match(
          String(script.body.text),
          /CATTLE_REGISTRATION_ACCESS_KEY="registrationToken"/,
        );
        assert.equal((await rig.call("GET", "/v1/scripts/nonsense")).status, 404);

        const register = async (key: string, secret = String(token.token)): Promise<Answer> =>
          rig.call("POST", "/v1/register", { key }, basic("registrationToken", secret));
        assert.equal((await register("k".repeat(64), "wrong")).status, 401);
        const one = await register("k".repeat(64));
        const again = await register("k".repeat(64));
        assert.equal(one.body.secretKey, again.body.secretKey);
        assert.notEqual((await register("j".repeat(64))).body.accessKey, one.body.accessKey);

        const agent = await rig.addHost(7, { "lab.instance": "i-1" });
        const host = await rig.get(`${project}/hosts/${String(agent.hostId)}`);
        assert.deepEqual(
          [host.hostname, host.agentIpAddress, host.agentState],
          ["host-7", "192.0.2.7", null],
        );
        assert.equal(host.labels["lab.instance"], "i-1");
        assert.equal(host.labels["io.rancher.host.docker_version"], "20.10");
        await rig.until(
          `${project}/stacks?name=ipsec`,
          (b) => b.data[0]?.healthState === "healthy",
        );
        agent.networkReady = false;
        await rig.until(
          `${project}/stacks?name=ipsec`,
          (b) => b.data[0]?.healthState !== "healthy",
        );
      }),
    );

    it(
      "GIVEN two hosts WHEN one leaves THEN evacuate, deactivate, remove move its containers and forget it",
      withRig(2, async (rig) => {
        const service = await rig.service(await rig.stack(), "web", { scale: 2 });
        await rig.active(service);
        const host = `${project}/hosts/1h2`;
        assert.deepEqual((await rig.get(host)).instanceIds.length, 1);
        const labels = (await rig.get(host)).labels as Json;
        await rig.call("PUT", host, { labels: { ...labels, zone: "b" } });
        assert.equal((await rig.active(host)).labels.zone, "b");
        assert.equal((await rig.call("DELETE", host)).status, 405);

        assert.equal((await rig.call("POST", `${host}/?action=evacuate`)).status, 202);
        await rig.until(host, (b) => b.state === "inactive" && b.instanceIds === null);
        await rig.active(service);
        assert.deepEqual(
          [...new Set((await rig.instances(service)).map((i) => i.hostId))],
          ["1h1"],
        );
        assert.equal(
          (await rig.call("POST", `${host}/?action=deactivate`)).body.code,
          "ActionNotAvailable",
        );

        assert.equal((await rig.call("DELETE", host)).body.state, "removing");
        const { body } = await rig.until(host, (b) => b.state === "removed");
        assert.notEqual(body.removed, null);
        assert.deepEqual(
          (await rig.get(`${project}/hosts`)).data.map((h: Json) => h.id),
          ["1h1"],
        );
      }),
    );

    it(
      "GIVEN a host that dies THEN it is reconnecting, checked containers move, and it comes back clean",
      withRig(2, async (rig) => {
        const stack = await rig.stack();
        const checked = await rig.service(stack, "web", {
          scale: 2,
          launchConfig: { imageUuid: "docker:nginx", healthCheck: { port: 80 } },
        });
        const plain = await rig.service(stack, "plain", { scale: 2 });
        await rig.until(checked, (b) => b.state === "active" && b.healthState === "healthy");
        await rig.active(plain);
        const dead = rig.agents[1];
        assert.ok(dead);
        dead.stop();
        const { states } = await rig.until(
          `${project}/hosts/1h2`,
          (b) => b.state === "disconnected",
        );
        assert.deepEqual(states, ["active", "reconnecting", "disconnected"]);
        await rig.until(checked, (b) => b.state === "active" && b.healthState === "healthy");
        assert.deepEqual(
          (await rig.instances(checked)).map((i) => i.hostId),
          ["1h1", "1h1"],
        );
        // Without a health check nothing is moved.
        assert.deepEqual((await rig.instances(plain)).map((i) => i.hostId).sort(), ["1h1", "1h2"]);

        assert.equal(dead.containers.size, 2);
        await dead.start();
        await rig.active(`${project}/hosts/1h2`);
        while ([...dead.containers].length !== 1) await new Promise((r) => setTimeout(r, 10));
        assert.equal(dead.hostId, "1h2");
      }),
    );
  });

  describe("services", () => {
    it(
      "GIVEN a service THEN it starts, scales up spread over hosts, down from the tail, and names are stable",
      withRig(2, async (rig) => {
        const stack = await rig.stack();
        const made = await rig.call("POST", `${project}/services`, {
          name: "web",
          stackId: stack,
          scale: 2,
          startOnCreate: true,
          launchConfig: { imageUuid: "docker:nginx:1.11", environment: { A: "1" } },
        });
        assert.deepEqual(
          [made.status, made.body.state, made.body.launchConfig.version],
          [201, "registering", "0"],
        );
        const service = `${project}/services/${String(made.body.id)}`;
        const { body, states } = await rig.until(service, (b) => b.state === "active");
        assert.deepEqual(states, ["registering", "activating", "active"]);
        assert.deepEqual([body.currentScale, body.instanceIds.length], [2, 2]);

        const put = await rig.call("PUT", service, { scale: 4 });
        assert.deepEqual([put.status, put.body.state, put.body.scale], [200, "updating-active", 4]);
        await rig.until(service, (b) => b.state === "active" && b.currentScale === 4);
        const four = await rig.instances(service);
        assert.deepEqual(
          four.map((i) => i.name),
          ["wp-web-1", "wp-web-2", "wp-web-3", "wp-web-4"],
        );
        assert.deepEqual(four.map((i) => i.hostId).sort(), ["1h1", "1h1", "1h2", "1h2"]);
        assert.deepEqual(
          four.map((i) => i.primaryIpAddress),
          ["10.42.1.1", "10.42.1.2", "10.42.1.3", "10.42.1.4"],
        );

        await rig.call("PUT", service, { scale: 1 });
        await rig.until(service, (b) => b.state === "active" && b.currentScale === 1);
        assert.deepEqual(
          (await rig.instances(service)).map((i) => i.name),
          ["wp-web-1"],
        );
        await rig.call("PUT", service, { scale: 2, launchConfig: { imageUuid: "docker:other" } });
        const two = await rig.active(service);
        assert.equal(two.launchConfig.imageUuid, "docker:nginx:1.11");
        // A released address is not given out again at once.
        assert.deepEqual(
          (await rig.instances(service)).map((i) => i.primaryIpAddress),
          ["10.42.1.1", "10.42.1.5"],
        );

        assert.equal((await rig.call("PUT", service, {})).body.state, "active");
        await rig.call("PUT", service, { scale: 0 });
        await rig.until(service, (b) => b.state === "active" && b.instanceIds === null);
      }),
    );

    it(
      "GIVEN an inactive service THEN activate and deactivate start and stop its containers",
      withRig(1, async (rig) => {
        const service = await rig.service(await rig.stack(), "web", { startOnCreate: false });
        const { body } = await rig.until(service, (b) => b.state === "inactive");
        assert.deepEqual([body.healthState, body.instanceIds], ["unhealthy", null]);
        assert.equal(
          (await rig.call("POST", `${service}/?action=deactivate`)).body.code,
          "ActionNotAvailable",
        );
        assert.equal(
          (await rig.call("POST", `${service}/?action=nosuch`)).body.code,
          "InvalidAction",
        );
        assert.equal((await rig.call("POST", `${service}/?action=activate`)).status, 202);
        await rig.until(service, (b) => b.state === "active" && b.healthState === "healthy");
        assert.equal((await rig.call("POST", `${service}/?action=deactivate`)).status, 202);
        await rig.until(service, (b) => b.state === "inactive");
        assert.deepEqual(
          (await rig.instances(service)).map((i) => i.state),
          ["stopped"],
        );
        await rig.post(`${service}/?action=activate`);
        await rig.active(service);
        assert.deepEqual(
          (await rig.instances(service)).map((i) => [i.id, i.state, i.startCount]),
          [["1i1", "running", 2]],
        );
      }),
    );

    it(
      "GIVEN a running service WHEN upgraded THEN old containers stop batch by batch; finish removes them",
      withRig(2, async (rig) => {
        const service = await rig.service(await rig.stack(), "web", {
          scale: 2,
          launchConfig: { imageUuid: "docker:nginx:1.11", ports: ["8081:80"] },
        });
        await rig.active(service);
        const missing = await rig.call("POST", `${service}/?action=upgrade`, {});
        assert.deepEqual(
          [missing.status, missing.body.fieldName],
          [422, "Upgrade strategy needs to be set"],
        );
        const up = await rig.call("POST", `${service}/?action=upgrade`, {
          inServiceStrategy: {
            launchConfig: { imageUuid: "docker:nginx:1.13", ports: ["8081:80"] },
            intervalMillis: 100,
          },
        });
        assert.deepEqual([up.status, up.body.state], [202, "upgrading"]);
        assert.equal(
          (await rig.call("POST", `${service}/?action=finishupgrade`)).body.code,
          "ActionNotAvailable",
        );
        const { body } = await rig.until(service, (b) => b.state === "upgraded");
        assert.equal(
          body.upgrade.inServiceStrategy.previousLaunchConfig.imageUuid,
          "docker:nginx:1.11",
        );
        const both = await rig.instances(service);
        assert.deepEqual(
          both.map((i) => [i.name, i.state, i.imageUuid]),
          [
            ["wp-web-1", "stopped", "docker:nginx:1.11"],
            ["wp-web-2", "stopped", "docker:nginx:1.11"],
            ["wp-web-1", "running", "docker:nginx:1.13"],
            ["wp-web-2", "running", "docker:nginx:1.13"],
          ],
        );
        assert.equal(
          (await rig.call("POST", `${service}/?action=upgrade`, {})).body.code,
          "ActionNotAvailable",
        );
        const scaled = await rig.call("PUT", service, { scale: 1 });
        assert.deepEqual(
          [scaled.status, scaled.body.state, scaled.body.scale],
          [200, "upgraded", 1],
        );
        const finish = await rig.call("POST", `${service}/?action=finishupgrade`);
        assert.deepEqual([finish.status, finish.body.state], [202, "finishing-upgrade"]);
        const after = await rig.active(service);
        assert.equal(after.instanceIds.length, 1);
        // Stale on the real server too, until the next reconcile.
        assert.equal(after.currentScale, 2);
      }),
    );

    it(
      "GIVEN an upgrade WHEN it goes wrong THEN rollback brings the old containers back, also after a cancel",
      withRig(2, async (rig) => {
        const service = await rig.service(await rig.stack(), "web", { scale: 2 });
        await rig.active(service);
        const before = (await rig.instances(service)).map((i) => i.id);
        const upgrade = (image: string, more: Json = {}): Promise<Json> =>
          rig.post(`${service}/?action=upgrade`, {
            inServiceStrategy: { launchConfig: { imageUuid: image }, intervalMillis: 100, ...more },
          });
        await upgrade("docker:doesnotexist");
        const failing = await rig.until(service, (b) => b.transitioning === "error");
        assert.match(String(failing.body.transitioningMessage), /no such image/);
        assert.equal(failing.body.state, "upgrading");
        await rig.post(`${service}/?action=rollback`);
        await rig.active(service);
        assert.deepEqual(
          (await rig.instances(service)).map((i) => [i.id, i.state]),
          before.map((id) => [id, "running"]),
        );
        assert.equal((await rig.get(service)).launchConfig.imageUuid, "docker:nginx:1.11");

        await upgrade("docker:nginx:2", { startFirst: true, batchSize: 2 });
        await rig.until(service, (b) => b.state === "upgraded");
        await rig.post(`${service}/?action=rollback`);
        await rig.active(service);
        assert.deepEqual(
          (await rig.instances(service)).map((i) => i.id),
          before,
        );

        await upgrade("docker:nginx:3", { intervalMillis: 60_000 });
        await rig.until(service, (b) => (b.instanceIds as unknown[]).length === 3);
        assert.equal(
          (await rig.post(`${service}/?action=cancelupgrade`)).state,
          "canceling-upgrade",
        );
        await rig.until(service, (b) => b.state === "canceled-upgrade");
        await rig.post(`${service}/?action=rollback`);
        await rig.active(service);
        assert.deepEqual(
          (await rig.instances(service)).map((i) => i.id),
          before,
        );
      }),
    );

    it(
      "GIVEN an upgrade of a checked service THEN the next batch waits until the new container is healthy",
      withRig(1, async (rig) => {
        const check = { port: 80, strategy: "none" };
        const service = await rig.service(await rig.stack(), "web", {
          scale: 2,
          launchConfig: { imageUuid: "docker:nginx:1", healthCheck: check },
        });
        await rig.until(service, (b) => b.state === "active" && b.healthState === "healthy");
        const agent = rig.agents[0];
        assert.ok(agent);
        await rig.post(`${service}/?action=upgrade`, {
          inServiceStrategy: {
            launchConfig: { imageUuid: "docker:nginx:2", healthCheck: check },
            intervalMillis: 100,
          },
        });
        const fresh = (): boolean =>
          [...agent.containers.values()].some((c) => c.wanted.image === "nginx:2");
        while (!fresh()) await new Promise((r) => setTimeout(r, 2));
        for (const c of agent.containers.values())
          if (c.wanted.image === "nginx:2") c.forcedHealth = "unhealthy";
        await new Promise((r) => setTimeout(r, 500));
        const during = await rig.get(service);
        assert.deepEqual([during.state, during.healthState], ["upgrading", "degraded"]);
        assert.equal(during.instanceIds.length, 3);
        for (const c of agent.containers.values()) c.forcedHealth = "healthy";
        await rig.until(service, (b) => b.state === "upgraded" && b.healthState === "healthy");
      }),
    );

    it(
      "GIVEN a restart THEN every container is started once more and stays the same",
      withRig(2, async (rig) => {
        const service = await rig.service(await rig.stack(), "web", { scale: 2 });
        await rig.active(service);
        const answer = await rig.call("POST", `${service}/?action=restart`, {
          rollingRestartStrategy: { batchSize: 1, intervalMillis: 100 },
        });
        assert.deepEqual([answer.status, answer.body.state], [202, "restarting"]);
        await rig.active(service);
        assert.deepEqual(
          (await rig.instances(service)).map((i) => [i.id, i.startCount]),
          [
            ["1i1", 2],
            ["1i2", 2],
          ],
        );
      }),
    );

    it(
      "GIVEN a host port WHEN no host has it free THEN the service waits with the message and recovers",
      withRig(1, async (rig) => {
        const stack = await rig.stack();
        const first = await rig.service(stack, "first", {
          launchConfig: { imageUuid: "docker:a", ports: ["8081:80/tcp"] },
        });
        const active = await rig.active(first);
        assert.deepEqual(
          active.publicEndpoints.map((e: Json) => [e.ipAddress, e.port, e.hostId]),
          [["192.0.2.1", 8081, "1h1"]],
        );
        const second = await rig.service(stack, "second", {
          launchConfig: { imageUuid: "docker:a", ports: ["8081:80"] },
        });
        const { body } = await rig.until(second, (b) => b.transitioning === "error");
        assert.equal(body.state, "activating");
        assert.match(
          String(body.transitioningMessage),
          /^Failed to allocate instance \[container:1i2\]: .*Allocation failed: host needs ports 8081\/tcp available$/,
        );
        await rig.addHost(2);
        await rig.active(second);
      }),
    );

    it(
      "GIVEN a global service with a sidekick THEN every host has both, new hosts too",
      withRig(2, async (rig) => {
        const service = await rig.service(await rig.stack(), "glob", {
          launchConfig: {
            imageUuid: "docker:nginx",
            labels: { "io.rancher.scheduler.global": "true" },
          },
          secondaryLaunchConfigs: [{ name: "side", imageUuid: "docker:busybox" }],
        });
        const active = await rig.active(service);
        assert.deepEqual([active.scale, active.currentScale], [1, 2]);
        const list = async (): Promise<string[]> =>
          (await rig.instances(service)).map((i) => `${String(i.name)}@${String(i.hostId)}`).sort();
        assert.deepEqual(await list(), [
          "wp-glob-1@1h1",
          "wp-glob-2@1h2",
          "wp-glob-side-1@1h1",
          "wp-glob-side-2@1h2",
        ]);
        await rig.addHost(3);
        await rig.until(service, (b) => b.state === "active" && b.instanceIds.length === 6);
        assert.ok((await list()).includes("wp-glob-3@1h3"));
      }),
    );

    it(
      "GIVEN affinity labels THEN only matching hosts are used, else the message names the label",
      withRig(0, async (rig) => {
        await rig.addHost(1);
        await rig.addHost(2, { zone: "mars" });
        const stack = await rig.stack();
        const labels = { "io.rancher.scheduler.affinity:host_label": "zone=mars" };
        const service = await rig.service(stack, "web", {
          scale: 2,
          launchConfig: { imageUuid: "docker:a", labels },
        });
        await rig.active(service);
        assert.deepEqual(
          (await rig.instances(service)).map((i) => i.hostId),
          ["1h2", "1h2"],
        );
        const nowhere = await rig.service(stack, "nowhere", {
          launchConfig: {
            imageUuid: "docker:a",
            labels: { "io.rancher.scheduler.affinity:host_label": "zone=venus" },
          },
        });
        const { body } = await rig.until(nowhere, (b) => b.transitioning === "error");
        assert.match(String(body.transitioningMessage), /needs host with label zone: venus$/);
      }),
    );

    it(
      "GIVEN containers that die, are deleted or turn unhealthy THEN the service gets them back",
      withRig(1, async (rig) => {
        const agent = rig.agents[0];
        assert.ok(agent);
        const service = await rig.service(await rig.stack(), "web", {
          launchConfig: { imageUuid: "docker:nginx", healthCheck: { port: 80 } },
        });
        const healthy = (b: Json): boolean => b.state === "active" && b.healthState === "healthy";
        await rig.until(service, healthy);
        agent.crash("wp-web-1");
        await rig.until(
          `${project}/containers/1i1`,
          (b) => b.startCount === 2 && b.state === "running",
        );
        await rig.until(service, healthy);
        await rig.post(`${project}/containers/1i1/?action=stop`);
        const stopped = await rig.until(`${project}/containers/1i1`, (b) => b.startCount === 3);
        // "stopped" and "starting" are over so soon that a busy machine misses them.
        const seen = stopped.states.filter((state) => !["stopped", "starting"].includes(state));
        assert.deepEqual(seen, ["stopping", "running"]);
        await rig.until(service, healthy);
        await rig.call("DELETE", `${project}/containers/1i1`);
        await rig.until(`${project}/containers/1i1`, (b) => b.state === "removed");
        await rig.until(service, (b) => healthy(b) && String(b.instanceIds) === "1i2");
        agent.setHealth("wp-web-1", "unhealthy");
        await rig.until(service, (b) => healthy(b) && String(b.instanceIds) === "1i3");
      }),
    );

    it(
      "GIVEN removal THEN containers go, the service stays readable as removed, its name is free again",
      withRig(1, async (rig) => {
        const stack = await rig.stack();
        const service = await rig.service(stack, "web");
        await rig.active(service);
        const gone = await rig.call("DELETE", service);
        assert.deepEqual([gone.status, gone.body.state], [200, "removing"]);
        const { body } = await rig.until(service, (b) => b.state === "removed");
        assert.equal(typeof body.removedTS, "number");
        assert.equal(body.instanceIds, null);
        assert.equal(rig.agents[0]?.containers.size, 0);
        assert.equal((await rig.call("DELETE", service)).status, 200);
        assert.equal(
          (await rig.call("POST", `${service}/?action=activate`)).body.code,
          "ActionNotAvailable",
        );
        assert.deepEqual((await rig.get(`${project}/services?name=web&stackId=${stack}`)).data, []);
        assert.equal((await rig.get(`${project}/services?name=web&_removed=true`)).data.length, 1);
        const second = await rig.service(stack, "web");
        await rig.active(second);
        await rig.call("DELETE", `${project}/stacks/${stack}`);
        await rig.until(`${project}/stacks/${stack}`, (b) => b.state === "removed");
        await rig.until(second, (b) => b.state === "removed");
      }),
    );
  });

  describe("load balancers", () => {
    it(
      "GIVEN rules THEN haproxy gets frontends, conditions and the healthy targets, live",
      withRig(2, async (rig) => {
        const stack = await rig.stack();
        const web = await rig.service(stack, "web", {
          scale: 2,
          launchConfig: { imageUuid: "docker:nginx", healthCheck: { port: 80, strategy: "none" } },
        });
        const db = await rig.service(stack, "db");
        await rig.until(web, (b) => b.state === "active" && b.healthState === "healthy");
        await rig.active(db);
        const id = (path: string): string => path.split("/").at(-1) ?? "";
        const made = await rig.post(`${project}/loadbalancerservices`, {
          name: "lb",
          stackId: stack,
          startOnCreate: true,
          launchConfig: {
            imageUuid: "docker:lb",
            ports: ["80:80/tcp"],
            labels: { "io.rancher.scheduler.global": "true" },
          },
          lbConfig: {
            portRules: [
              { sourcePort: 80, serviceId: id(web), targetPort: 8080 },
              {
                sourcePort: 80,
                serviceId: id(web),
                targetPort: 8081,
                hostname: "blog.example.com",
                path: "/x",
              },
            ],
          },
        });
        assert.equal(made.launchConfig.healthCheck.port, 42);
        assert.equal(made.launchConfig.labels["io.rancher.container.create_agent"], "true");
        const lb = `${project}/loadbalancerservices/${String(made.id)}`;
        const ready = (
          await rig.until(lb, (b) => b.state === "active" && b.healthState === "healthy")
        ).body;
        assert.deepEqual(ready.linkedServices, { web: id(web) });
        assert.deepEqual(
          ready.publicEndpoints.map((e: Json) => [e.hostId, e.port]),
          [
            ["1h1", 80],
            ["1h2", 80],
          ],
        );
        assert.equal(
          (await rig.get(`${project}/services/${String(made.id)}`)).type,
          "loadBalancerService",
        );

        const sent = (): string => {
          const c = rig.agents[0]?.find("wp-lb-1")?.wanted;
          assert.equal(c?.reloadSignal, "SIGUSR2");
          assert.equal(c.files[0]?.path, "/etc/haproxy/haproxy.cfg");
          return c.files[0].content;
        };
        const config = sent();
        assert.match(config, /frontend health\n {4}bind \*:42\n/);
        assert.match(config, /bind \*:80\n {4}mode http\n/);
        assert.match(config, /option forwardfor/);
        assert.match(config, /X-Forwarded-Proto https if \{ ssl_fc \} !/);
        assert.match(config, /option redispatch/);
        assert.match(config, /acl rule-80-2-host hdr\(host\),field\(1,:\) -i blog\.example\.com/);
        assert.match(config, /acl rule-80-2-path path_beg -i \/x/);
        assert.match(
          config,
          /use_backend rule-80-2 if rule-80-2-host rule-80-2-path\n {4}default_backend rule-80-1/,
        );
        assert.match(config, /server i1 10\.42\.1\.1:8080 check/);
        assert.match(config, /server i2 10\.42\.1\.2:8081 check/);

        rig.agents[1]?.setHealth("wp-web-2", "unhealthy");
        while (sent().includes("10.42.1.2")) await new Promise((r) => setTimeout(r, 5));
        assert.match(sent(), /10\.42\.1\.1:8080/);

        const put = await rig.call("PUT", lb, {
          lbConfig: {
            portRules: [{ sourcePort: 3306, protocol: "tcp", serviceId: id(db), targetPort: 3306 }],
            config: "# mine\nbackend other\n    mode http",
          },
        });
        assert.deepEqual([put.status, put.body.state], [200, "updating-active"]);
        assert.deepEqual((await rig.active(lb)).linkedServices, { db: id(db) });
        while (!sent().includes("bind *:3306")) await new Promise((r) => setTimeout(r, 5));
        assert.match(sent(), /bind \*:3306\n {4}mode tcp\n/);
        assert.match(sent(), /^global\n( {4}.*\n)* {4}# mine\n/m);
        assert.match(sent(), /^backend other\n {4}mode http\n/m);
        assert.ok(!sent().includes("bind *:80"));
      }),
    );

    it(
      "GIVEN text with line breaks in a rule THEN it cannot add directives",
      withRig(1, async (rig) => {
        const stack = await rig.stack();
        const web = await rig.service(stack, "web");
        const made = await rig.post(`${project}/loadbalancerservices`, {
          name: "lb",
          stackId: stack,
          launchConfig: { imageUuid: "docker:lb" },
          lbConfig: {
            portRules: [
              {
                sourcePort: 80,
                serviceId: web.split("/").at(-1),
                targetPort: 80,
                hostname: "a\n  bind *:9",
              },
            ],
          },
        });
        const row = rig.server.app.db.services.get(Number(String(made.id).slice(2)));
        assert.ok(row);
        assert.ok(!haproxyConfig(row, rig.server.app.db).includes("\n  bind *:9"));
      }),
    );
  });

  /** Everything that matters, as one comparable value. */
  async function picture(rig: Rig, key: Record<string, string>): Promise<unknown> {
    const out: Json = {};
    for (const path of ["stacks", "services", "containers", "hosts", "registrationtokens"]) {
      const { body } = await rig.call("GET", `${project}/${path}`, undefined, key);
      out[path] = (body.data as Json[]).map((r) => [
        r.id,
        r.uuid,
        r.name,
        r.state,
        r.hostId,
        r.primaryIpAddress,
        r.token,
      ]);
    }
    return out;
  }

  async function survives(store: () => Store): Promise<void> {
    const first = await new Rig(store()).start();
    const { port } = first.server;
    await first.addHost(1);
    await first.addHost(2);
    const stack = await first.stack();
    const service = await first.service(stack, "wéb😀".replace(/[^a-z]/g, "e"), {
      scale: 3,
      description: "wéb😀",
    });
    await first.active(service);
    const key = await first.post("/v2-beta/apikeys", { name: "k" });
    await first.active(`/v2-beta/apikeys/${String(key.id)}`);
    await first.post("/v2-beta/localauthconfigs", {
      accessMode: "unrestricted",
      enabled: true,
      name: "Admin",
      username: "admin",
      password: "Secret123",
    });
    const auth = basic(String(key.publicValue), String(key.secretValue));
    const before = await picture(first, auth);
    const containers = first.agents.map((a) => [...a.containers.keys()]);
    const starts = first.agents.map((a) => [...a.containers.values()].map((c) => c.startedAt));
    await first.server.close();

    const second = await new Rig(store()).start(port);
    try {
      assert.equal((await second.call("GET", "/v2-beta/projects")).status, 401);
      assert.deepEqual(await picture(second, auth), before);
      while (
        !first.agents.every((a) =>
          second.server.app.agents.isConnected(Number(String(a.hostId).slice(2))),
        )
      ) {
        await new Promise((r) => setTimeout(r, 20));
      }
      await new Promise((r) => setTimeout(r, 300));
      assert.deepEqual(await picture(second, auth), before);
      const got = (await second.call("GET", service, undefined, auth)).body;
      assert.deepEqual(
        [got.description, got.state, got.healthState],
        ["wéb😀", "active", "healthy"],
      );
      // The containers on the hosts were left alone.
      assert.deepEqual(
        first.agents.map((a) => [...a.containers.keys()]),
        containers,
      );
      assert.deepEqual(
        first.agents.map((a) => [...a.containers.values()].map((c) => c.startedAt)),
        starts,
      );
      const scaled = await second.call("PUT", service, { scale: 4 }, auth);
      assert.equal(scaled.status, 200);
    } finally {
      for (const a of first.agents) a.stop();
      await second.stop();
    }
  }

  describe("state", () => {
    it("GIVEN a server WHEN a new one starts on the same store THEN nothing is lost and no container is touched", async () => {
      const store = new MemoryStore();
      await survives(() => store);
    });

    it("GIVEN a killed server WHEN it was in the middle of an upgrade THEN the next one goes on", async () => {
      const store = new MemoryStore();
      const first = await new Rig(store).start();
      const { port } = first.server;
      await first.addHost(1);
      const service = await first.service(await first.stack(), "web", { scale: 3 });
      await first.active(service);
      await first.post(`${service}/?action=upgrade`, {
        inServiceStrategy: { launchConfig: { imageUuid: "docker:nginx:2" }, intervalMillis: 100 },
      });
      await first.until(service, (b) => (b.instanceIds as unknown[]).length >= 4);
      await first.server.close();
      const second = await new Rig(store).start(port);
      try {
        await second.until(service, (b) => b.state === "upgraded");
        await second.post(`${service}/?action=finishupgrade`);
        await second.active(service);
        assert.deepEqual(
          (await second.instances(service)).map((i) => [i.imageUuid, i.state]),
          Array.from({ length: 3 }, () => ["docker:nginx:2", "running"]),
        );
      } finally {
        for (const a of first.agents) a.stop();
        await second.stop();
      }
    });

    // RANCHER_TEST_MYSQL=mysql://user:password@host:port/database of an empty database that may be filled.
    const mysql = process.env.RANCHER_TEST_MYSQL;
    (mysql === undefined ? it.skip : it)("GIVEN MariaDB THEN the same holds", async () => {
      const url = new URL(mysql ?? "");
      await survives(
        () =>
          new MysqlStore({
            host: url.hostname,
            port: Number(url.port === "" ? 3306 : url.port),
            user: url.username,
            password: url.password,
            database: url.pathname.slice(1),
            log: () => undefined,
          }),
      );
    });
  });
});
