import * as assert from "node:assert/strict";
import { haproxyConfig } from "../rancher/server/haproxy";
import { parseId } from "../rancher/server/ids";
import { project, Rig, withRig, type Json } from "./rancherRig";

const drain = 1_500;

/** A service of two containers behind a load balancer; the service's path and what the balancer sends to. */
async function balanced(rig: Rig, launchConfig: Json) {
  const stackId = await rig.stack();
  const web = await rig.service(stackId, "web", {
    scale: 2,
    launchConfig: { imageUuid: "docker:nginx:1.11", ...launchConfig },
  });
  await rig.active(web);
  const made = await rig.post(`${project}/loadbalancerservices`, {
    name: "lb",
    stackId,
    startOnCreate: true,
    launchConfig: { imageUuid: "docker:rancher/lb-service-haproxy:v0.9.14", ports: ["80:80"] },
    lbConfig: { portRules: [{ sourcePort: 80, serviceId: web.split("/").pop(), targetPort: 80 }] },
  });
  await rig.active(`${project}/loadbalancerservices/${String(made.id)}`);
  const { db } = rig.server.app;
  const targets = (): number => {
    const balancer = db.services.get(parseId(String(made.id)));
    assert.ok(balancer !== undefined);
    return haproxyConfig(balancer, db).match(/^ +server /gm)?.length ?? 0;
  };
  return { web, targets };
}

/** Takes one container away; how long it went on running, in milliseconds. */
async function shrink(rig: Rig, web: string, targets: () => number): Promise<number> {
  assert.equal(targets(), 2);
  const start = Date.now();
  await rig.call("PUT", web, { scale: 1 });
  await rig.until(web, () => targets() === 1, "one target");
  await rig.until(web, (b) => b.state === "active" && b.transitioning === "no", "active");
  assert.equal((await rig.instances(web)).filter((i) => i.state === "running").length, 1);
  return Date.now() - start;
}

const rig = () => new Rig(undefined, {}, { drain });

describe("draining in the lab's Rancher server", () => {
  it(
    "GIVEN drainTimeoutMs WHEN a container goes THEN balancers leave it at once and it runs on for a while",
    withRig(
      2,
      async (r) => {
        const { web, targets } = await balanced(r, { drainTimeoutMs: 10_000 });
        const { uuid } = (await r.instances(web)).at(-1) ?? {};
        const going = shrink(r, web, targets);
        await r.until(web, () => targets() === 1, "one target");
        const desired = r.server.app.db.instances.live().find((i) => i.uuid === uuid);
        assert.equal(desired?.state, "stopping");
        assert.ok((await going) >= drain, "it was stopped at once");
      },
      rig,
    ),
  );

  it(
    "GIVEN none WHEN a container goes THEN it is stopped at once",
    withRig(
      2,
      async (r) => {
        const { web, targets } = await balanced(r, {});
        assert.ok((await shrink(r, web, targets)) < drain);
      },
      rig,
    ),
  );
});
