/** What the agent is told by environment and command line. Pure. */
import { isIPv4 } from "node:net";

/**
 * Checks CATTLE_AGENT_IP as the published agent does: a plain IPv4 address that others can reach.
 * @throws otherwise
 */
export function checkAgentIp(value: string): string {
  if (!isIPv4(value) || value.startsWith("127.") || value === "0.0.0.0") {
    throw new Error(
      `CATTLE_AGENT_IP must be a plain IPv4 address of this host and not a loopback one, got "${value}"`,
    );
  }
  return value;
}

/**
 * Checks the registration URL.
 * @throws when it is not http(s) or names this machine itself
 */
export function checkRegistrationUrl(value: string): string {
  let url: URL;
  try {
    url = new URL(value);
  } catch {
    throw new Error("the registration URL is not a URL: use the command that the server shows");
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new Error("the registration URL must start with http:// or https://");
  }
  if (url.hostname === "localhost" || url.hostname.startsWith("127.")) {
    throw new Error(
      "the registration URL may not name localhost: other hosts would look for the server on themselves",
    );
  }
  return value;
}

/** `k=v&k2=v2`, URL-encoded, as CATTLE_HOST_LABELS has it. */
export function parseHostLabels(value: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(value));
}

/** The `export NAME="value"` lines of the script behind a registration URL. */
export function parseRegistrationScript(script: string): Record<string, string> {
  const values: Record<string, string> = {};
  for (const match of script.matchAll(/^\s*export\s+(\w+)=(?:"([^"]*)"|'([^']*)'|(\S*))\s*$/gm)) {
    values[match[1] ?? ""] = match[2] ?? match[3] ?? match[4] ?? "";
  }
  return values;
}

/** Address of the agents' WebSocket for the API's address (`http://server:8080/v1`). */
export function webSocketUrl(cattleUrl: string, path: string): string {
  const url = new URL(path, cattleUrl);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.toString();
}
