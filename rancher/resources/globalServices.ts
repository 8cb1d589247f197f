/** Waiting for what runs on every host to run on a new one. */
import type { Client } from "../client/client";
import { type Instance, isLeaving, type Service } from "../client/types";
import { type Seen, waitFor } from "../client/wait";
import type { Call } from "../plugin/types";
import { isWell } from "./containers";
import { isGlobal } from "./launchConfig";

/**
 * Waits until each active global service has a container on the host that runs and is well. Rancher's
 * own infrastructure services are left out: what runs on a host needs them anyway.
 *
 * @param until milliseconds since 1970
 */
export async function globalServicesRun(
  client: Client,
  environmentId: string,
  hostId: string,
  until: number,
  call: Call,
): Promise<void> {
  const base = `/v2-beta/projects/${environmentId}`;
  await waitFor(client, call, {
    what: `the services of every host to run on host ${hostId}`,
    until,
    advice: "look at the host's containers in Rancher, or leave waitForServices out",
    look: async (options): Promise<Seen<void>> => {
      const services = (await client.list<Service>(`${base}/services`, options)).filter(
        (service) =>
          !isLeaving(service) &&
          service.system !== true &&
          service.state !== "inactive" &&
          isGlobal(service.launchConfig),
      );
      const here = await client.list<Instance>(`${base}/hosts/${hostId}/instances`, options);
      const missing = services.filter(
        ({ id }) =>
          !here.some(
            (instance) =>
              instance.serviceIds?.includes(id) === true &&
              instance.state === "running" &&
              isWell(instance.healthState),
          ),
      );
      if (missing.length === 0) return { done: undefined };
      return { waiting: `${missing.map(({ name, id }) => name ?? id).join(", ")} not yet` };
    },
  });
}
