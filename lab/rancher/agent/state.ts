/** What the agent keeps on the machine, in the folder that the published agent uses too. */
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { RegisterAnswer } from "../protocol";
import type { HealthMemory } from "./converge";
import type { Health } from "./health";

/** Folder of the state, a volume of the host: it survives the containers and reboots. */
export const STATE_DIR = "/var/lib/rancher/state";

const TOKEN_FILE = ".registration_token";
const CREDENTIALS_FILE = ".agent_credentials";
const HEALTH_FILE = "health.json";

/** Key pair with which the agent connects. */
export type Credentials = Pick<RegisterAnswer, "accessKey" | "secretKey">;

/** The machine's identity: 64 random bytes in hex, made once. A copied disk would be the same host to Rancher. */
export function hostToken(folder = STATE_DIR): string {
  const present = read(folder, TOKEN_FILE)?.trim() ?? "";
  if (present !== "") return present;
  const token = randomBytes(64).toString("hex");
  write(folder, TOKEN_FILE, `${token}\n`);
  return token;
}

/** Keeps the credentials; readable by root alone. */
export function saveCredentials(credentials: Credentials, folder = STATE_DIR): void {
  const { accessKey, secretKey } = credentials;
  write(folder, CREDENTIALS_FILE, `${JSON.stringify({ accessKey, secretKey })}\n`);
}

/** @throws when the machine was never registered */
export function loadCredentials(folder = STATE_DIR): Credentials {
  const content = read(folder, CREDENTIALS_FILE);
  if (content === undefined) {
    throw new Error("this machine is not registered: run the registration command of the server");
  }
  return JSON.parse(content) as Credentials;
}

/** Health in a file, so that a restarted agent does not call a healthy container `initializing`. */
export class HealthFile implements HealthMemory {
  private content: string;
  private entries: Record<string, { startedAt: number; health: Health }>;

  constructor(private readonly folder = STATE_DIR) {
    this.content = read(folder, HEALTH_FILE) ?? "{}";
    try {
      this.entries = JSON.parse(this.content) as typeof this.entries;
    } catch {
      this.entries = {};
    }
  }

  get(uuid: string, startedAt: number): Health | undefined {
    const entry = this.entries[uuid];
    return entry?.startedAt === startedAt ? entry.health : undefined;
  }

  set(entries: ReadonlyMap<string, { readonly startedAt: number; readonly health: Health }>): void {
    const content = JSON.stringify(Object.fromEntries(entries));
    if (content === this.content) return;
    this.content = content;
    this.entries = JSON.parse(content) as typeof this.entries;
    write(this.folder, HEALTH_FILE, content);
  }
}

function read(folder: string, name: string): string | undefined {
  try {
    return readFileSync(`${folder}/${name}`, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function write(folder: string, name: string, content: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // A machine that loses power keeps the old file or has the new one, never half of it.
  writeFileSync(`${folder}/${name}.new`, content, { mode: 0o600 });
  renameSync(`${folder}/${name}.new`, `${folder}/${name}`);
}
