/** Checks of a stack's configuration and of the machine that `up` is to run on. */
import { networkInterfaces } from "node:os";
import { overlaps, parseCidr } from "../../config/cidr";
import type { Settings } from "../../config/settings";
import { sshProblem } from "../../config/sshClient";
import { fail, type Group, once, pass, unknown, waitsFor } from "./engine";

/** The settings of a stack, or what is wrong with them. */
export type Configuration = () => Promise<Settings | readonly string[]>;

/** What {@link configurationChecks} look at. */
export interface Surroundings {
  readonly configuration: Configuration;
  /** Why ssh would not get in with this public key. @default what this machine's ssh says */
  readonly keyProblem?: (publicKey: string) => string | undefined;
  /** IPv4 addresses of this machine. @default its interfaces' */
  readonly addresses?: readonly string[];
}

/** The settings, once they are right. @throws Unknown before */
export function settled(configuration: Configuration): () => Promise<Settings> {
  return once(async () => {
    const outcome = await configuration().catch(() => []);
    if (!("region" in outcome)) throw waitsFor("config.valid");
    return outcome;
  });
}

function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === "IPv4" && !internal)
    .map(({ address }) => address);
}

/** Ranges whose addresses nobody outside sees (RFC 6890). */
const hiddenRanges = [
  "10.0.0.0/8",
  "100.64.0.0/10",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
];

function within(address: string, ranges: readonly string[]): boolean {
  const own = parseCidr(`${address}/32`);
  return ranges.some((range) => {
    const cidr = parseCidr(range);
    return typeof cidr !== "string" && typeof own !== "string" && overlaps(cidr, own);
  });
}

/** Configuration, private key and administrator's address. */
export function configurationChecks(surroundings: Surroundings): Group {
  const { configuration, keyProblem = sshProblem, addresses = ownAddresses() } = surroundings;
  const settings = settled(configuration);
  return {
    title: "configuration",
    checks: [
      {
        id: "config.valid",
        title: "the configuration is right",
        run: async () => {
          const outcome = await configuration();
          if ("region" in outcome) return pass(`every setting is, for ${outcome.region}`);
          return fail(
            ["it has problems", ...outcome].join("\n"),
            "change each with: npx pulumi config set",
          );
        },
      },
      {
        id: "config.private-key",
        title: "the private key is at hand",
        run: async () => {
          const problem = keyProblem((await settings()).sshPublicKey);
          if (problem === undefined) return pass("ssh offers it");
          const [reason = "", ...fix] = problem.split("; ");
          return fail(reason, fix.join("; "));
        },
      },
      {
        id: "config.admin-address",
        title: "this machine may reach SSH",
        run: async () => {
          const { adminCidrs } = await settings();
          const list = adminCidrs.join(", ");
          const inside = addresses.find((address) => within(address, adminCidrs));
          if (adminCidrs.includes("0.0.0.0/0")) return pass("adminCidrs lets everyone");
          if (inside !== undefined) return pass(`its address ${inside} is in adminCidrs`);
          const seen = addresses.filter((address) => !within(address, hiddenRanges));
          if (seen.length > 0) {
            return fail(
              `its address ${seen.join(" and ")} is not in adminCidrs (${list})`,
              `add it with: npx pulumi config set --path 'adminCidrs[${adminCidrs.length}]' ADDRESS/32`,
            );
          }
          return unknown(
            "the address that the internet sees it with is its router's, and no stranger is asked for it",
            `make sure that it is in adminCidrs (${list})`,
          );
        },
      },
    ],
  };
}
