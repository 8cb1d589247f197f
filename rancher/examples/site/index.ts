/** A site on a Rancher 1.6 server that runs already, with nothing but the provider. See docs/provider.md. */
import * as pulumi from "@pulumi/pulumi";
import * as rancher from "../..";

const config = new pulumi.Config();
const url = config.require("url");
const password = config.requireSecret("adminPassword");

const open = new rancher.Provider("open", { url });
const access = new rancher.AccessControl("access", { password }, { provider: open });
const { accessKey, secretKey } = access;
const provider = new rancher.Provider("closed", { url, accessKey, secretKey });

const home = new rancher.Environment("home", { name: "Default", useDefault: true }, { provider });
const environmentId = home.id;
const hosts = new rancher.RegistrationToken("hosts", { environmentId }, { provider });

/** The line that makes a machine a host; a secret. */
export const registrationCommand = hosts.command;

// The first `up` makes what machines need to join; without any there is nothing to run a site on.
const scale = config.getNumber("scale") ?? 0;
if (scale > 0) {
  const stack = new rancher.Stack("site", { name: "site", environmentId }, { provider });
  const pages = {
    imageUuid: config.get("image") ?? "docker:nginx:1.27",
    healthCheck: {
      ...{ port: 80, requestLine: "GET / HTTP/1.0", interval: 2_000, responseTimeout: 2_000 },
      ...{ healthyThreshold: 2, unhealthyThreshold: 3 },
    },
  };
  const web = new rancher.Service(
    "web",
    { stackId: stack.id, environmentId, name: "web", scale, launchConfig: pages },
    { provider, customTimeouts: { create: "5m", update: "10m" } },
  );
  const door = {
    launchConfig: { imageUuid: "docker:rancher/lb-service-haproxy:v0.9.14", ports: ["80:80"] },
    lbConfig: { portRules: [{ sourcePort: 80, serviceId: web.id, targetPort: 80 }] },
  };
  const doorArgs = { stackId: stack.id, environmentId, name: "door", ...door };
  new rancher.LoadBalancer("door", doorArgs, { provider });
}
