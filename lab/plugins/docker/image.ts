/** `docker.RemoteImage`: an image pulled by the engine on the host. */
import { diffInputs } from "../../../rancher/plugin/diff";
import { type Call, type Props, type Resource, UNKNOWN } from "../../../rancher/plugin/types";
import { checkInputs, flag, mustText, text } from "../standIn";
import { type Engine, EngineError } from "./client";

interface ImageDetails {
  readonly Id: string;
  readonly RepoDigests?: readonly string[];
}

/** Splits `[registry/]repository[:tag]`; without a tag it is `latest`, as for `docker pull`. */
export function splitImage(name: string): { repository: string; tag: string } {
  const digest = name.indexOf("@");
  if (digest > 0) return { repository: name.slice(0, digest), tag: name.slice(digest + 1) };
  const colon = name.lastIndexOf(":");
  // A colon before a slash belongs to the registry's port.
  if (colon < 0 || name.indexOf("/", colon) >= 0) return { repository: name, tag: "latest" };
  return { repository: name.slice(0, colon), tag: name.slice(colon + 1) };
}

function outputs(inputs: Props, image: ImageDetails): Props {
  const { repository } = splitImage(mustText(inputs, "name"));
  const digests = image.RepoDigests ?? [];
  const repoDigest = digests.find((digest) => digest.startsWith(`${repository}@`)) ?? digests[0];
  return { ...inputs, imageId: image.Id, repoDigest: repoDigest ?? "" };
}

async function present(engine: Engine, inputs: Props, call: Call): Promise<ImageDetails> {
  const name = mustText(inputs, "name");
  const found = await engine.find<ImageDetails>(`/images/${name}/json`, { signal: call.signal });
  if (found !== undefined) return found;
  const { repository, tag } = splitImage(name);
  let failed: string | undefined;
  let shown: unknown;
  call.status(`pulling ${name}`);
  const onLine = (line: Props): void => {
    if (typeof line["error"] === "string") failed = line["error"];
    if (line["status"] === shown) return;
    shown = line["status"];
    call.status(`pulling ${name}: ${String(shown)}`);
  };
  const query = { fromImage: repository, tag, platform: text(inputs, "platform") };
  try {
    await engine.lines("POST", "/images/create", { query, signal: call.signal }, onLine);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    failed = error.message;
  }
  if (failed !== undefined) throw new Error(`cannot pull image ${name}: ${failed}`);
  return engine.json<ImageDetails>("GET", `/images/${name}/json`, { signal: call.signal });
}

/** The type token of {@link remoteImage}. */
export const remoteImageType = "docker:index/remoteImage:RemoteImage";

/** An image on the host, pulled unless it is there already. */
export const remoteImage: Resource<Engine> = {
  check: checkInputs(remoteImageType, {
    shape: {
      name: "string",
      keepLocally: "boolean",
      forceRemove: "boolean",
      platform: "string",
      pullTriggers: ["string"],
      triggers: "map",
    },
    required: ["name"],
  }),
  diff: ({ oldInputs, inputs }) =>
    diffInputs(oldInputs, inputs, { replace: ["platform", "pullTriggers", "triggers"] }),
  preview: (inputs, old) => {
    if (old === undefined) return inputs;
    const same = old["name"] === inputs["name"];
    const known = { imageId: old["imageId"], repoDigest: old["repoDigest"] };
    return { ...inputs, ...(same ? known : { imageId: UNKNOWN, repoDigest: UNKNOWN }) };
  },
  create: async (engine, inputs, call) => {
    const image = await present(engine, inputs, call);
    return { id: image.Id + mustText(inputs, "name"), outputs: outputs(inputs, image) };
  },
  read: async (engine, { id, inputs, outputs: old }, call) => {
    const name =
      text(inputs, "name") ?? text(old, "name") ?? id.replace(/^sha256:[0-9a-f]{64}/, "");
    const image = await engine.find<ImageDetails>(`/images/${name}/json`, { signal: call.signal });
    if (image === undefined) return undefined;
    const known = { ...inputs, name };
    return { state: { id, outputs: outputs(known, image) }, inputs: known };
  },
  update: async (engine, { inputs }, call) => outputs(inputs, await present(engine, inputs, call)),
  delete: async (engine, { outputs: old }, call) => {
    if (flag(old, "keepLocally") === true) return;
    try {
      await engine.json("DELETE", `/images/${mustText(old, "name")}`, {
        query: { force: flag(old, "forceRemove") ?? false },
        signal: call.signal,
      });
    } catch (error) {
      if (!(error instanceof EngineError) || error.status !== 404) throw error;
    }
  },
};
