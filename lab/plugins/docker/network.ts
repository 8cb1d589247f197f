/** `docker.Network` and `docker.Volume`: things with a name, made once and replaced when changed. */
import { diffInputs } from "../../../rancher/plugin/diff";
import type { Call, Props, Resource } from "../../../rancher/plugin/types";
import { checkInputs, flag, type Inputs, map, mustText, objects, pause, text } from "../standIn";
import { type Engine, EngineError } from "./client";

/** Milliseconds for containers to leave a network or volume that is being deleted. */
const RELEASE_DEADLINE_MS = 30_000;

/** Deletes an object; gone is fine, in use is retried until the deadline. */
async function release(engine: Engine, path: string, call: Call): Promise<void> {
  const deadline = Date.now() + RELEASE_DEADLINE_MS;
  for (;;) {
    try {
      await engine.json("DELETE", path, { signal: call.signal });
      return;
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      if (error.status === 404) return;
      const inUse = error.status === 409 || error.message.includes("active endpoints");
      if (!inUse || Date.now() > deadline) throw error;
    }
    await pause(1_000, call.signal);
  }
}

/** Labels as the plugin takes them, as the engine takes them. */
export function labels(inputs: Props): Record<string, string> {
  const pairs = objects(inputs, "labels");
  return Object.fromEntries(pairs.map((l) => [mustText(l, "label"), text(l, "value") ?? ""]));
}

interface Named {
  readonly type: string;
  readonly inputs: Inputs;
  path(name: string): string;
  make(engine: Engine, inputs: Props, call: Call): Promise<void>;
  describe(found: Props): Props;
  /** What identifies it, from what the engine says about it. */
  id(found: Props): string;
}

function named({ type, inputs: spec, path, make, describe, id: idOf }: Named): Resource<Engine> {
  const find = (engine: Engine, name: string, call: Call): Promise<Props | undefined> =>
    engine.find<Props>(path(name), { signal: call.signal });
  return {
    check: checkInputs(type, { ...spec, autoName: "name" }),
    diff: ({ oldInputs, inputs }) =>
      diffInputs(oldInputs, inputs, {
        replace: true,
        ignore: ["__defaults"],
        deleteBeforeReplace: !isAutoNamed(inputs),
      }),
    create: async (engine, inputs, call) => {
      await make(engine, inputs, call);
      const found = await find(engine, mustText(inputs, "name"), call);
      if (found === undefined) throw new Error(`${mustText(inputs, "name")} vanished`);
      return { id: idOf(found), outputs: { ...inputs, ...describe(found) } };
    },
    read: async (engine, { id, inputs, outputs }, call) => {
      const found = await find(engine, text(outputs, "name") ?? id, call);
      if (found === undefined) return undefined;
      const known = { ...inputs, name: text(found, "Name") };
      // Deleted and made again by someone else, under the same name, is another object.
      if (idOf(found) !== id) return undefined;
      return {
        state: { id, outputs: { ...outputs, ...known, ...describe(found) } },
        inputs: known,
      };
    },
    // By its id, as the real plugin does: one of the same name that was made anew stays.
    delete: (engine, { id }, call) => release(engine, path(id), call),
  };
}

/** True when the name was made up by `check`: then old and new can exist side by side. */
export function isAutoNamed(inputs: Props): boolean {
  const defaults = inputs["__defaults"];
  return Array.isArray(defaults) && defaults.includes("name");
}

/** The type token of {@link network}. */
export const networkType = "docker:index/network:Network";

/** A Docker network. */
export const network = named({
  type: networkType,
  inputs: {
    shape: {
      name: "string",
      driver: "string",
      internal: "boolean",
      attachable: "boolean",
      options: "map",
      labels: [{ label: "string", value: "string" }],
      ipamDriver: "string",
      ipamConfigs: [{ subnet: "string", gateway: "string", ipRange: "string" }],
    },
  },
  path: (name) => `/networks/${encodeURIComponent(name)}`,
  make: async (engine, inputs, call) => {
    const configs = objects(inputs, "ipamConfigs").map((config) => ({
      Subnet: text(config, "subnet"),
      Gateway: text(config, "gateway"),
      IPRange: text(config, "ipRange"),
    }));
    await engine.json("POST", "/networks/create", {
      body: {
        Name: mustText(inputs, "name"),
        CheckDuplicate: true,
        Driver: text(inputs, "driver") ?? "bridge",
        Internal: flag(inputs, "internal") ?? false,
        Attachable: flag(inputs, "attachable") ?? false,
        Options: map(inputs, "options"),
        Labels: labels(inputs),
        IPAM:
          configs.length === 0
            ? undefined
            : { Driver: text(inputs, "ipamDriver") ?? "default", Config: configs },
      },
      signal: call.signal,
    });
  },
  describe: (found) => {
    const ipam = found["IPAM"] as { Config?: { Subnet?: string; Gateway?: string }[] | null };
    return {
      driver: found["Driver"],
      scope: found["Scope"],
      internal: found["Internal"],
      options: found["Options"] ?? {},
      ipamConfigs: (ipam.Config ?? []).map((c) => ({ subnet: c.Subnet, gateway: c.Gateway })),
    };
  },
  id: (found) => mustText(found, "Id"),
});

/** The type token of {@link volume}. */
export const volumeType = "docker:index/volume:Volume";

/** A Docker volume. */
export const volume = named({
  type: volumeType,
  inputs: {
    shape: {
      name: "string",
      driver: "string",
      driverOpts: "map",
      labels: [{ label: "string", value: "string" }],
    },
  },
  path: (name) => `/volumes/${encodeURIComponent(name)}`,
  make: async (engine, inputs, call) => {
    await engine.json("POST", "/volumes/create", {
      body: {
        Name: mustText(inputs, "name"),
        Driver: text(inputs, "driver") ?? "local",
        DriverOpts: map(inputs, "driverOpts"),
        Labels: labels(inputs),
      },
      signal: call.signal,
    });
  },
  describe: (found) => ({ driver: found["Driver"], mountpoint: found["Mountpoint"] }),
  id: (found) => mustText(found, "Name"),
});
