/** Steps that the recorder took between two recordings without keeping them, by the later one's number. */
import { setTimeout as sleep } from "node:timers/promises";
import { environment, type Replay } from "./replay";

type Step = (replay: Replay) => Promise<void>;

const nginx = "docker:nginx:1.11";

/** Source: the ids, names and states that the later recordings show. */
export const unrecorded: Readonly<Record<number, Step>> = {
  30: async (replay) => {
    await replay.addHost("1h1", "sim-host-1", "192.168.0.21");
    await replay.addHost("1h2", "sim-host-2", "192.168.0.22");
    for (const id of ["1h1", "1h2"])
      await replay.until(`${environment}/hosts/${id}`, "active", "anonymous");
    // A service of the system's had a container on each host.
    const checker = await replay.sendAs("anonymous", "POST", `${environment}/services`, {
      ...{ name: "healthcheck", stackId: replay.nameOf("1st2"), startOnCreate: true },
      launchConfig: {
        imageUuid: "docker:rancher/healthcheck:v0.3.8",
        labels: {
          "io.rancher.container.create_agent": "true",
          "io.rancher.scheduler.global": "true",
        },
      },
    });
    replay.learnName("1s2", String(checker["id"]));
    await replay.until(`${environment}/services/1s2`, "active", "anonymous");
  },
  // Until the environment's key is active.
  64: (replay) => replay.until("/v2-beta/apikeys/1c12", "active", "account key"),
  75: async (replay) => {
    const key = await replay.sendAs("account key", "POST", "/v2-beta/apikeys", { name: "tmp2" });
    replay.learnName("1c14", String(key["id"]));
    const pair = `${String(key["publicValue"])}:${String(key["secretValue"])}`;
    replay.authorization.set("other key", `Basic ${Buffer.from(pair).toString("base64")}`);
    await replay.until("/v2-beta/apikeys/1c14", "active", "account key");
  },
  // Until the key is inactive.
  78: (replay) => replay.until("/v2-beta/apikeys/1c14", "inactive", "account key"),
  // In the middle of the second batch.
  215: () => sleep(1_000),
  316: async (replay) => {
    for (let n = 0; n < 5; n++) {
      const stack = await replay.send("POST", `${environment}/stacks`, {
        name: `page-${String(n)}`,
      });
      await replay.until(`${environment}/stacks/${String(stack["id"])}`, "active");
    }
  },
  372: async (replay) => {
    const stack = await replay.send("POST", `${environment}/stacks`, { name: "extra" });
    replay.learnName("1st18", String(stack["id"]));
    const service = await replay.send("POST", `${environment}/services`, {
      ...{ name: "svc", stackId: stack["id"], scale: 2, startOnCreate: true },
      launchConfig: { imageUuid: nginx },
    });
    replay.learnName("1s21", String(service["id"]));
    await replay.until(`${environment}/services/1s21`, "activating");
  },
  374: (replay) => replay.until(`${environment}/services/1s21`, "active"),
  386: async (replay) => {
    const service = `${environment}/services/1s21`;
    await replay.send("POST", `${service}/?action=finishupgrade`);
    await replay.until(service, "active");
    await replay.send("POST", `${service}/?action=upgrade`, {
      inServiceStrategy: {
        launchConfig: { imageUuid: "docker:nginx:1.14" },
        intervalMillis: 3_000,
      },
    });
  },
  404: async (replay) => {
    replay.agents[1]?.stop();
  },
};
