/** A certificate with its private key, for the `https` and `tls` rules of load balancers. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { Client } from "../client/client";
import { type Certificate, isLeaving } from "../client/types";
import { deadline } from "../client/wait";
import { PartialFailure } from "../plugin/serve";
import { type Call, type Props, type Resource } from "../plugin/types";
import { inspect, onlyProperties, type Place } from "./checks";
import { observedInputs } from "./declared";
import { locate } from "./identity";
import { findOrMake, removed, settled } from "./life";
import { importedNames, isMarked, MARKED_DESCRIPTION_LENGTH, marked, unmarked } from "./marks";
import { diffInEnvironment, environmentOf } from "./ownership";

const MAX_PEM_LENGTH = 65_535;

/** What the server reads out of the certificate: our name and its own. Source: its recorded schema. */
const READ_OUT = {
  cn: "CN",
  algorithm: "algorithm",
  issuer: "issuer",
  certFingerprint: "certFingerprint",
  serialNumber: "serialNumber",
  version: "version",
  keySize: "keySize",
  expiresAt: "expiresAt",
  issuedAt: "issuedAt",
  subjectAlternativeNames: "subjectAlternativeNames",
} as const satisfies Record<string, keyof Certificate>;

/** One certificate on the server, and the operation that is about it. */
interface Work {
  readonly client: Client;
  readonly environmentId: string;
  readonly id: string;
  readonly inputs: Props;
  readonly call: Call;
}

/** See `rancher.Certificate`. */
export const certificate: Resource<Client> = {
  secretOutputs: ["key"],

  check(inputs) {
    const { place, problems } = inspect(inputs);
    onlyProperties(place, ["name", "description", "cert", "key", "certChain", "environmentId"]);
    place.at("name").text({ required: true, maxLength: 255 });
    place.at("description").text({ maxLength: MARKED_DESCRIPTION_LENGTH });
    place.at("environmentId").text();
    checkPems(place);
    return { inputs, problems };
  },

  diff(comparison) {
    // The server never shows a key again: after an import it is taken to be the declared one.
    const ignore = comparison.oldInputs["key"] === undefined ? ["key"] : [];
    return diffInEnvironment(comparison, { ignore });
  },

  preview(inputs, old) {
    const kept = old === undefined || old["cert"] !== inputs["cert"] ? {} : readOut(old);
    const environmentId = inputs["environmentId"] ?? old?.["environmentId"];
    return { ...inputs, ...(environmentId === undefined ? {} : { environmentId }), ...kept };
  },

  async create(client, inputs, call) {
    const environmentId = await client.environment(inputs["environmentId"], call);
    const { id, found } = await findOrMake(client, making(client, environmentId, inputs, call));
    const state = { id, outputs: { ...inputs, environmentId } };
    const work = { client, environmentId, id, inputs, call };
    try {
      const first = await active(work);
      // One that was found may have an earlier key, which nobody can see.
      const now = found === undefined ? first : await store(work);
      return { id, outputs: { ...state.outputs, ...outputsOf(now) } };
    } catch (error) {
      throw new PartialFailure(state, (error as Error).message);
    }
  },

  async read(client, known, call) {
    const { inputs } = known;
    const { environmentId, id, isImport } = await locate(client, "certificates", known, call);
    const found = await client.find<Certificate>(pathOf(environmentId, id), call);
    if (found === undefined || isLeaving(found)) return undefined;
    const declared = isImport ? importedInputs(found) : inputs;
    const actual = {
      ...found,
      description: unmarked(found),
      cert: pemLike(declared["cert"], found.cert),
      certChain: pemLike(declared["certChain"], found.certChain),
    };
    const seen = observedInputs(declared, ["name", "description", "cert", "certChain"], actual);
    const state = { id, outputs: { ...seen, environmentId, ...outputsOf(found) } };
    return { state, inputs: seen };
  },

  async update(client, { id, old, inputs }, call) {
    const environmentId = await environmentOf(client, { inputs, outputs: old }, call);
    const now = await store({ client, environmentId, id, inputs, call });
    return { ...inputs, environmentId, ...outputsOf(now) };
  },

  async delete(client, { id, inputs, outputs }, call) {
    if (client.held.has(id)) return;
    const environmentId = await environmentOf(client, { inputs, outputs }, call);
    await removed(client, call, {
      path: pathOf(environmentId, id),
      what: whatOf(id, inputs),
      until: deadline(call),
      advice: "take it out of the load balancers that use it",
    });
  },
};

function pathOf(environmentId: string, id = ""): string {
  return `/v2-beta/projects/${environmentId}/certificates${id === "" ? "" : `/${id}`}`;
}

function whatOf(id: string, { name }: Props): string {
  return `certificate ${typeof name === "string" ? `${name} (${id})` : id}`;
}

/** Everything that is wrong with the texts. No reason repeats any of them. */
function checkPems(place: Place): void {
  const [cert, key, chain] = [place.at("cert"), place.at("key"), place.at("certChain")];
  for (const pem of [cert, key]) pem.text({ required: true, maxLength: MAX_PEM_LENGTH });
  chain.text({ minLength: 1, maxLength: MAX_PEM_LENGTH });
  const [leaf] = certificatesIn(cert) ?? [];
  const privateKey = privateKeyIn(key);
  const issuers = certificatesIn(chain);
  if (leaf === undefined) return;
  if (privateKey !== undefined && !leaf.checkPrivateKey(privateKey)) {
    key.reject("does not belong to cert");
  }
  if (issuers !== undefined && !issuers.some((issuer) => leaf.checkIssued(issuer))) {
    chain.reject("does not hold the certificate that cert was issued by");
  }
}

/** The certificates in a text; undefined when there is none that can be read, which is reported. */
function certificatesIn(pem: Place): X509Certificate[] | undefined {
  if (typeof pem.value !== "string" || pem.value === "") return undefined;
  const blocks = pem.value.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g);
  if (blocks === null) {
    pem.reject("must be PEM text with a certificate, from -----BEGIN CERTIFICATE----- on");
    return undefined;
  }
  const found = blocks.map(parsed(certificateOf));
  const unreadable = found.findIndex((one) => one === undefined) + 1;
  if (unreadable === 0) return found as X509Certificate[];
  const which = blocks.length === 1 ? "its certificate" : `certificate ${unreadable} in it`;
  pem.reject(`cannot be used: ${which} is damaged`);
  return undefined;
}

function privateKeyIn(pem: Place): KeyObject | undefined {
  if (typeof pem.value !== "string" || pem.value === "") return undefined;
  if (/-----BEGIN ENCRYPTED|Proc-Type:.*ENCRYPTED/.test(pem.value)) {
    pem.reject("is encrypted: load balancers need it without a passphrase");
    return undefined;
  }
  const found = parsed(createPrivateKey)(pem.value);
  if (found === undefined) {
    pem.reject("must be PEM text with a private key, as in -----BEGIN PRIVATE KEY-----");
  }
  return found;
}

function certificateOf(pem: string): X509Certificate {
  return new X509Certificate(pem);
}

/** A parser that answers with undefined; its own errors could repeat what it parsed. */
function parsed<T>(parse: (text: string) => T): (text: string) => T | undefined {
  return (text) => {
    try {
      return parse(text);
    } catch {
      return undefined;
    }
  };
}

/** What the server is told. Its errors may repeat some of it, of which the key is not passed on. */
function bodyOf(client: Client, inputs: Props, call: Call) {
  const { name, cert, key, certChain } = inputs;
  client.hide(
    ...String(key)
      .split("\n")
      .map((line) => line.trim()),
  );
  const description = marked(inputs["description"], call);
  return { name, description, cert, key, certChain: certChain ?? null };
}

/** How a certificate of our own is found again or made; names are unique in an environment. */
function making(client: Client, environmentId: string, inputs: Props, call: Call) {
  const { name } = inputs as { name: string };
  return {
    find: async (): Promise<Certificate | undefined> => {
      const all = await client.list<Certificate>(pathOf(environmentId), call);
      const present = all.filter((found) => !isLeaving(found));
      const own = present.find((found) => isMarked(found, call));
      const other = present.find((found) => found.name?.toLowerCase() === name.toLowerCase());
      if (own !== undefined || other === undefined) return own;
      throw new Error(
        `the environment has a certificate named ${JSON.stringify(name)} (${other.id}) that this program did not make: choose another name, remove it, or import it with this id`,
      );
    },
    make: (): Promise<Certificate> =>
      // The answer repeats the key: it is not read.
      client.post<Certificate>(pathOf(environmentId), bodyOf(client, inputs, call), call),
  };
}

/** Gives the server everything that is declared and waits until it has it. */
async function store(work: Work): Promise<Certificate> {
  const { client, environmentId, id, inputs, call } = work;
  await client.put(pathOf(environmentId, id), bodyOf(client, inputs, call), call);
  return active(work);
}

function active({ client, environmentId, id, inputs, call }: Work): Promise<Certificate> {
  return settled<Certificate>(client, call, {
    path: pathOf(environmentId, id),
    what: whatOf(id, inputs),
    until: deadline(call),
  });
}

/** The server's text, or the declared one where they differ only in ends of lines. */
function pemLike(declared: unknown, actual: string | null | undefined): unknown {
  const bare = (text: string): string => text.replace(/\r\n/g, "\n").trim();
  if (typeof declared !== "string" || typeof actual !== "string") return actual;
  return bare(declared) === bare(actual) ? declared : actual;
}

function importedInputs(found: Certificate): Props {
  const { cert, certChain } = found;
  return { ...importedNames(found), cert: cert ?? "", ...(certChain ? { certChain } : {}) };
}

function outputsOf(found: Certificate): Props {
  const fields = Object.entries(READ_OUT).map(([name, field]) => [name, found[field] ?? undefined]);
  return Object.fromEntries(fields) as Props;
}

function readOut(outputs: Props): Props {
  const names = Object.keys(READ_OUT).filter((name) => outputs[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, outputs[name]]));
}
