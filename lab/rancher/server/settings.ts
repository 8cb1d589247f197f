import { randomBytes } from "node:crypto";
import type { Database } from "./database";

/** Settings the server itself looks at, with Rancher's defaults. Source: facts §1. */
const defaults: Readonly<Record<string, string | null>> = {
  "account.by.key.credential.types": "apiKey,agentApiKey",
  "agent.instance.image": "rancher/agent-instance:v0.8.3",
  "api.auth.jwt.token.expiry": "57600000",
  "api.auth.provider.configured": null,
  "api.host": null,
  "api.security.enabled": "false",
  "bootstrap.required.image": "rancher/agent:v1.2.11",
  "catalog.refresh.interval.seconds": "300",
  "catalog.url": null,
  "events.purge.after.seconds": "1209600",
  "host.remove.delay.seconds": "-1",
  "install.uuid": null,
  "lb.instance.image": "rancher/lb-service-haproxy:v0.9.14",
  "process_instance.purge.after.seconds": "86400",
  "rancher.server.version": "v1.6.30",
  "registry.default": "",
  "telemetry.opt": "out",
  "upgrade.manager": "mandatory",
};

/** Rows that are kept with the settings but never shown. */
const installSecretName = "lab.install.secret";

/** One setting as the API shows it. */
export interface Setting {
  readonly name: string;
  /** What was stored, else the value in effect. */
  readonly value: string | null;
  readonly activeValue: string | null;
  /** Where the value in effect comes from; null when there is none. */
  readonly source: string | null;
  readonly inDb: boolean;
}

/** Settings: environment (`CATTLE_API_HOST`) beats the database, which beats `DEFAULT_CATTLE_…` and defaults. */
export class Settings {
  public constructor(
    private readonly db: Database,
    private readonly env: NodeJS.ProcessEnv,
  ) {}

  /** The value in effect. */
  public value(name: string): string | null {
    return this.get(name).activeValue;
  }

  /** As the API shows it; unknown names give nulls. */
  public get(name: string): Setting {
    const row = this.row(name);
    const variable = `CATTLE_${name.replace(/\./g, "_").toUpperCase()}`;
    const stored = row?.value ?? null;
    const inDb = row !== undefined;
    const effective = (activeValue: string, source: string): Setting => ({
      name,
      value: inDb ? stored : activeValue,
      activeValue,
      source,
      inDb,
    });
    const fromEnv = this.env[variable];
    if (fromEnv !== undefined) return effective(fromEnv, "Environment Variables");
    if (stored !== null) return effective(stored, "Database");
    const fromDefaultEnv = this.env[`DEFAULT_${variable}`];
    if (fromDefaultEnv !== undefined)
      return effective(fromDefaultEnv, "Default Environment Variables");
    const builtIn = defaults[name];
    if (builtIn !== undefined && builtIn !== null)
      return effective(builtIn, "Code Packaged Defaults");
    return { name, value: null, activeValue: null, source: null, inDb };
  }

  /** Every known setting, by name. */
  public list(): Setting[] {
    const names = new Set(Object.keys(defaults));
    for (const row of this.db.settings.live()) names.add(row.name);
    names.delete(installSecretName);
    return [...names].sort().map((name) => this.get(name));
  }

  /** Stores a value. */
  public set(name: string, value: string | null): void {
    const row = this.row(name);
    if (row === undefined) this.db.settings.insert({ name, value, removed: null });
    else this.db.settings.update(row, { value });
  }

  /** Forgets the stored value. False when there was none. */
  public remove(name: string): boolean {
    const row = this.row(name);
    if (row === undefined) return false;
    this.db.settings.update(row, { removed: Date.now() });
    return true;
  }

  /** A secret made once per database; keys of agents and registration tokens derive from it. */
  public get installSecret(): string {
    const found = this.row(installSecretName)?.value;
    if (found !== undefined && found !== null) return found;
    const made = randomBytes(32).toString("hex");
    this.set(installSecretName, made);
    return made;
  }

  private row(name: string): ReturnType<Database["settings"]["get"]> {
    return this.db.settings.live().find((s) => s.name === name);
  }
}
