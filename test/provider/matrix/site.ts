/** What every column starts from: one of everything, and once more what lives in an environment of its own. */
import { pairs } from "./certificates";
import { call, type Declaration, type Declared, ref, secret } from "./declaration";

/** The administrator's password. */
export const PASSWORD = "a long enough password";
/** The one that it is changed to, together with the login name `root`. */
export const NEW_PASSWORD = "another long password";
/** A value that containers get. */
export const DATABASE_PASSWORD = "nobody may read this";
/** A variable of the compose files. */
export const COMPOSE_PASSWORD = "nobody may read this either";
/** A setting's value. */
export const SETTING_VALUE = "a setting that nobody may read";

const IMAGE = "docker:nginx:1.26";
const LB_IMAGE = "docker:rancher/lb-service-haproxy:v0.9.14";

/** A variable of a load balancer's containers. */
export const LB_PASSWORD = "nobody may read it here either";

/** What the containers of `annexLb` are started with. */
export const annexLbConfig = {
  imageUuid: LB_IMAGE,
  ports: ["80:80"],
  environment: { PASSWORD: secret(LB_PASSWORD) },
};

/** Long enough for a busy machine. */
const timeouts = { create: "4m", update: "4m" };

/** Answers soon after it runs. */
export const healthCheck = {
  port: 80,
  requestLine: "GET / HTTP/1.0",
  interval: 2000,
  responseTimeout: 2000,
  healthyThreshold: 2,
  unhealthyThreshold: 3,
};

/** Compose files of a stack with one service. */
export const compose = {
  docker: (image: string) =>
    `version: '2'\nservices:\n  pages:\n    image: ${image}\n    environment:\n      SECRET: \${secret}\n`,
  rancher: (owner: string) =>
    `version: '2'\nservices:\n  pages:\n    scale: 2\n    metadata:\n      owner: ${owner}\n`,
};

/** A service with nothing but a name, a stack and an image. */
export function plainService(name: string, stack: string, imageUuid = IMAGE): Declared {
  const args = { name, stackId: ref(stack), launchConfig: { imageUuid } };
  return { type: "Service", args, after: ["host"], timeouts };
}

/** A load balancer with one rule. */
function balancer(name: string, stack: string, service: string, host: string): Declared {
  const args = {
    name,
    stackId: ref(stack),
    launchConfig: { imageUuid: LB_IMAGE, ports: ["80:80"] },
    lbConfig: {
      portRules: [{ serviceId: ref(service), sourcePort: 80, targetPort: 80, path: "/" }],
    },
    upgradeStrategy: { intervalMillis: 200 },
  };
  return { type: "LoadBalancer", args, after: [host], timeouts };
}

/**
 * The site. `annex` is an environment of its own with one of everything in it (`annexHost`, `annexWeb`, …);
 * all else is in the environment that every server has.
 */
export function wholeSite(url: string): Declaration {
  const annexed = { environmentId: ref("annex") };
  const resources: Record<string, Declared> = {
    access: {
      type: "AccessControl",
      provider: "open",
      args: { password: secret(PASSWORD) },
    },
    home: { type: "Environment", args: { name: "Default", useDefault: true } },
    annex: { type: "Environment", args: { name: "annex", description: "an annex" }, timeouts },
    // Names need not be unique.
    spare: { type: "Environment", args: { name: "Default" }, timeouts },
    operator: { type: "ApiKey", args: { name: "operator", description: "an operator" } },
    robot: { type: "ApiKey", args: { name: "robot", ...annexed } },
    agents: { type: "RegistrationToken", args: { description: "the site's hosts" } },
    annexAgents: { type: "RegistrationToken", args: { ...annexed } },
    host: {
      type: "Host",
      args: { matchLabels: { "sim.host": "1" }, labels: { tier: "web" } },
      timeouts,
    },
    annexHost: { type: "Host", args: { matchLabels: { "sim.host": "6" }, ...annexed }, timeouts },
    pem: { type: "Certificate", args: { name: "pem", ...keySecret(0) } },
    annexPem: { type: "Certificate", args: { name: "annex-pem", ...keySecret(0), ...annexed } },
    greeting: {
      type: "Setting",
      args: { name: "site.greeting", value: secret(SETTING_VALUE) },
    },
    site: { type: "Stack", args: { name: "site", description: "a site" } },
    other: { type: "Stack", args: { name: "other" } },
    composed: {
      type: "Stack",
      after: ["host"],
      args: {
        name: "composed",
        dockerCompose: compose.docker("nginx:1.26"),
        rancherCompose: compose.rancher("them"),
        environment: { secret: secret(COMPOSE_PASSWORD) },
      },
      timeouts,
    },
    annexed: { type: "Stack", args: { name: "annexed", ...annexed } },
    idle: {
      ...plainService("idle", "other"),
      args: { ...plainService("idle", "other").args, startOnCreate: false },
    },
    pair: {
      type: "Service",
      after: ["host"],
      args: {
        name: "pair",
        stackId: ref("other"),
        scalePolicy: { min: 1, max: 2, increment: 1 },
        launchConfig: { imageUuid: IMAGE },
        secondaryLaunchConfigs: [{ name: "side", imageUuid: "docker:side:1" }],
        upgradeStrategy: { intervalMillis: 100 },
      },
      timeouts,
    },
    web: {
      type: "Service",
      after: ["host"],
      args: {
        name: "web",
        stackId: ref("site"),
        scale: 2,
        launchConfig: {
          imageUuid: IMAGE,
          environment: { PORT: 8080, DEBUG: "yes", DATABASE_PASSWORD: secret(DATABASE_PASSWORD) },
          healthCheck,
        },
        upgradeStrategy: { intervalMillis: 100 },
      },
      timeouts,
    },
    annexWeb: {
      type: "Service",
      after: ["annexHost"],
      args: {
        name: "annex-web",
        stackId: ref("annexed"),
        launchConfig: { imageUuid: IMAGE },
        ...annexed,
      },
      timeouts,
    },
    lb: balancer("lb", "site", "web", "host"),
    annexLb: balancer("annex-lb", "annexed", "annexWeb", "annexHost"),
  };
  Object.assign(resources["annexLb"]?.args ?? {}, annexed, {
    launchConfig: annexLbConfig,
    startOnCreate: false,
  });
  const outputs = {
    accessKey: ref("access", "accessKey"),
    secretKey: ref("access", "secretKey"),
    registrationUrl: ref("agents", "registrationUrl"),
    annexRegistrationUrl: ref("annexAgents", "registrationUrl"),
    robotKey: ref("robot", "accessKey"),
    operatorKey: ref("operator", "accessKey"),
    robotSecret: ref("robot", "secretKey"),
    operatorSecret: ref("operator", "secretKey"),
    webId: ref("web"),
    hostname: ref("host", "hostname"),
    defaultEnvironment: call("getEnvironment"),
    annexEnvironment: call("getEnvironment", { id: ref("annex") }),
  };
  return { url, resources, outputs };
}

function keySecret(pair: 0 | 1 | 2) {
  return { cert: pairs[pair].cert, key: secret(pairs[pair].key) };
}
