/** The provider as a whole: its configuration, its resources and its functions. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Client, type Credentials } from "./client/client";
import { sshDial, type SshEndpoint } from "./client/ssh";
import type { Dial } from "./client/transport";
import { hasUnknown, type Problem, type Props, type ProviderDefinition } from "./plugin/types";
import { getEnvironment } from "./functions/getEnvironment";
import { accessControl } from "./resources/accessControl";
import { apiKey } from "./resources/apiKey";
import { certificate } from "./resources/certificate";
import { inspect, onlyProperties, type Place } from "./resources/checks";
import { environment } from "./resources/environment";
import { host } from "./resources/host";
import { loadBalancer } from "./resources/loadBalancer";
import { registrationToken } from "./resources/registrationToken";
import { service } from "./resources/service";
import { setting } from "./resources/setting";
import { stack } from "./resources/stack";

const schema = readFileSync(join(__dirname, "schema.json"), "utf8");

/** The Rancher 1.6 provider. */
export const definition: ProviderDefinition<Client> = {
  name: "rancher",
  version: (JSON.parse(schema) as { version: string }).version,
  title: "the Rancher provider",
  schema,
  checkConfig,
  configure,
  close: (client) => {
    client.close();
  },
  resources: {
    "rancher:index:AccessControl": accessControl,
    "rancher:index:ApiKey": apiKey,
    "rancher:index:Setting": setting,
    "rancher:index:Environment": environment,
    "rancher:index:Certificate": certificate,
    "rancher:index:RegistrationToken": registrationToken,
    "rancher:index:Host": host,
    "rancher:index:Stack": stack,
    "rancher:index:Service": service,
    "rancher:index:LoadBalancer": loadBalancer,
  },
  functions: {
    "rancher:index:getEnvironment": getEnvironment,
  },
};

function checkConfig(config: Props): Problem[] {
  const { place, problems } = inspect(config);
  onlyProperties(place, ["url", "ssh", "accessKey", "secretKey", "environmentId"]);
  checkUrl(place.at("url"));
  checkSsh(place.at("ssh"));
  for (const field of ["accessKey", "secretKey", "environmentId"]) place.at(field).text();
  const [one, other] = ["accessKey", "secretKey"].map((field) => config[field] !== undefined);
  if (one !== other) {
    place
      .at(one === true ? "secretKey" : "accessKey")
      .reject("is required together with the other half");
  }
  return problems;
}

function checkUrl(url: Place): void {
  if (!url.present(true)) return;
  const parsed = typeof url.value === "string" ? parseUrl(url.value) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    url.reject("must be an http or https URL, as in http://127.0.0.1:8080");
  } else if (parsed.username !== "" || parsed.password !== "") {
    url.reject("must not contain a user or password: use accessKey and secretKey");
  }
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

function checkSsh(ssh: Place): void {
  if (!ssh.isObject()) return;
  onlyProperties(ssh, ["host", "port", "user", "hostKey", "hostKeyAlias", "proxyCommand"]);
  // A leading hyphen would be read as an option of ssh.
  pattern(ssh.at("host"), /^[A-Za-z0-9:][A-Za-z0-9.:-]*$/, "must be a host name or address");
  pattern(ssh.at("user"), /^[A-Za-z0-9_][A-Za-z0-9._-]*$/, "must be a user name");
  pattern(
    ssh.at("hostKeyAlias"),
    /^[A-Za-z0-9_][A-Za-z0-9._-]*$/,
    "must be letters, digits, dots and hyphens",
  );
  pattern(
    ssh.at("hostKey"),
    /^\s*[a-z0-9@.-]+ [A-Za-z0-9+/=]+( .*)?\s*$/,
    "must be a public key, as in ssh-ed25519 AAAA…",
  );
  const proxy = ssh.at("proxyCommand");
  // A second line would be no part of the option.
  if (proxy.present()) pattern(proxy, /^[^\r\n\0]*\S[^\r\n\0]*$/, "must be a command, on one line");
  ssh.at("port").whole({ min: 1, max: 65535 });
}

function pattern(place: Place, allowed: RegExp, reason: string): void {
  if (!place.present(true)) return;
  if (typeof place.value !== "string" || !allowed.test(place.value)) place.reject(reason);
}

function configure(config: Props): Client {
  if (hasUnknown(config)) {
    const refuse: Dial = () => {
      throw new Error("the Rancher provider's settings are not known yet");
    };
    return Client.create({ url: "http://unknown.invalid", dial: refuse });
  }
  const { url, ssh, accessKey, secretKey, environmentId } = config;
  if (typeof url !== "string") throw new Error("the Rancher provider needs a url");
  const credentials: Credentials =
    typeof accessKey === "string" && typeof secretKey === "string"
      ? { kind: "key", accessKey, secretKey }
      : { kind: "anonymous" };
  return Client.create({
    url,
    credentials,
    ...(ssh === undefined ? {} : { dial: sshDial(ssh as SshEndpoint) }),
    ...(typeof environmentId === "string" ? { environmentId } : {}),
  });
}
