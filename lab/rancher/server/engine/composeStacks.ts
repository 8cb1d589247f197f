/**
 * Executes compose files as Rancher's compose executor does: makes, upgrades, finishes and rolls back the
 * services of a stack, one step in each pass of the engine. Its only memory is the documents: services
 * say by the hashes of {@link hashKey} what they were made from.
 *
 * The recordings show create, upgrade and finishupgrade. Source of the rest, which is not recorded:
 * rancher-compose-executor. Rollback rolls back the services that are `upgraded` and keeps those that the
 * upgrade made; cancelupgrade lets the services go on. That an upgrade that cannot be executed ends as
 * one that was cancelled is what Rancher's source does for its other kinds of stacks.
 */
import type { App } from "../app";
import {
  ComposeError,
  hashKey,
  readCompose,
  type ComposeKind,
  type ComposeService,
} from "../compose";
import type { ServiceDoc, StackDoc } from "../documents";
import { ApiError } from "../errors";
import { isObject, type Body } from "../http/validate";
import { formatId } from "../ids";
import { mapOf } from "../resources/launchConfig";
import { beginUpgrade, createService, setLinks, updateService } from "../resources/services";
import { servicesOf } from "../resources/stacks";

/** Where the real executor finds its server; only error messages show it. */
const executorsServer = "http://localhost:8081/v2-beta";

/** Path of each kind. */
const paths: Readonly<Record<ComposeKind, string>> = {
  service: "services",
  loadBalancerService: "loadbalancerservices",
  externalService: "externalservices",
  dnsService: "dnsservices",
};

/** Moves a stack on that compose files are executed for; false when there is nothing to execute. */
export function advanceComposed(app: App, s: StackDoc): boolean {
  switch (s.state) {
    case "activating":
      if (isEmpty(s)) return false;
      execute(app, s, "Creating stack", "error", create);
      return true;
    case "upgrading":
      execute(app, s, "Upgrading stack", "canceling-upgrade", isEmpty(s) ? skip : upgrade);
      return true;
    case "finishing-upgrade":
      if (!eachRested(app, s, (x) => x.state === "upgraded", app.engine.finishUpgrade)) return true;
      rest(app, s, "active", { previousExternalId: null, previousEnvironment: null });
      return true;
    case "rolling-back": {
      if (!eachRested(app, s, (x) => x.state === "upgraded", app.engine.rollback)) return true;
      rest(app, s, "active", {
        externalId: filled(s.previousExternalId) ?? s.externalId,
        environment: filled(s.previousEnvironment) ?? s.environment,
        previousExternalId: null,
        previousEnvironment: null,
      });
      return true;
    }
    case "canceling-upgrade":
      if (Date.now() - s.stateSince < 4 * app.timings.transition) return true;
      app.db.setState(
        app.db.stacks,
        s,
        "canceled-upgrade",
        s.transitioning === "error" ? "error" : "no",
        s.transitioning === "error" ? s.transitioningMessage : null,
      );
      return true;
    default:
      return false;
  }
}

const isEmpty = (s: StackDoc): boolean => s.dockerCompose === null || s.dockerCompose === "";

/** The value unless it is empty. */
function filled<T extends string | object>(value: T | null): T | undefined {
  return value === null || Object.keys(value).length === 0 ? undefined : value;
}

/** One step of a stack's work; true when all is done. */
type Step = (app: App, s: StackDoc) => boolean;

const skip: Step = (app, s) => {
  rest(app, s, "upgraded");
  return true;
};

/** Takes a step; the first one only says what is being done. What goes wrong ends the work in a state. */
function execute(app: App, s: StackDoc, message: string, failed: string, step: Step): void {
  const { db, timings } = app;
  if (Date.now() - s.stateSince < timings.transition) return;
  try {
    if (s.transitioningMessage === message || isEmpty(s)) {
      step(app, s);
      return;
    }
    servicesWanted(s);
    db.stacks.update(s, { transitioning: "yes", transitioningMessage: message });
  } catch (error) {
    if (!(error instanceof ComposeError)) throw error;
    db.setState(db.stacks, s, failed, "error", error.message);
  }
}

function rest(app: App, s: StackDoc, state: string, more: Partial<StackDoc> = {}): void {
  app.db.setState(app.db.stacks, s, state, "no", null, more);
}

/** Variables of an upgrade: those that are there, and over them those that were given. */
const variablesOf = (s: StackDoc): Record<string, string> => ({
  ...s.environment,
  ...(s.state === "upgrading" ? s.upgradeTo?.environment : {}),
});

/** What the stack's files, or those of its upgrade, say. */
function servicesWanted(s: StackDoc): ComposeService[] {
  const { dockerCompose, rancherCompose } = s.state === "upgrading" ? (s.upgradeTo ?? s) : s;
  return readCompose(dockerCompose ?? "", rancherCompose, variablesOf(s));
}

const create: Step = (app, s) => {
  const wanted = servicesWanted(s);
  for (const one of wanted) {
    const there = find(app, s, one.name);
    if (there === undefined) make(app, s, one);
    if (there === undefined || there.state === "registering") return false;
  }
  // Once more, for links in a circle.
  for (const one of wanted) link(app, s, one);
  if (s.startOnCreate === true && !startAll(app, s, wanted)) return false;
  rest(app, s, "active");
  return true;
};

/** Starts what may start; true when nothing is on its way any more. As in Rancher, failing is not being on its way. */
function startAll(app: App, s: StackDoc, wanted: readonly ComposeService[]): boolean {
  let done = true;
  for (const one of wanted) {
    const there = find(app, s, one.name);
    if (there === undefined || !haveRested(app, s, one.needs)) {
      done = false;
      continue;
    }
    if (there.state === "inactive" && one.start) app.engine.activate(there);
    if (there.transitioning === "yes") done = false;
  }
  return done;
}

const haveRested = (app: App, s: StackDoc, names: readonly string[]): boolean =>
  names.every((name) => find(app, s, name)?.transitioning !== "yes");

const upgrade: Step = (app, s) => {
  let done = true;
  for (const one of servicesWanted(s)) {
    const isReady = haveRested(app, s, one.needs);
    if (!isReady || !upgradeOne(app, s, one)) done = false;
  }
  if (!done) return false;
  rest(app, s, "upgraded", {
    environment: variablesOf(s),
    externalId: s.upgradeTo?.externalId ?? "",
    previousExternalId: filled(s.previousExternalId) ?? s.externalId ?? "",
    previousEnvironment: filled(s.previousEnvironment) ?? s.environment,
  });
  return true;
};

/** Brings one service to what the files say; true when it is there. */
function upgradeOne(app: App, s: StackDoc, one: ComposeService): boolean {
  const there = find(app, s, one.name);
  if (there === undefined) {
    make(app, s, one);
    return false;
  }
  const changed = changedConfigs(there, one);
  const isOther = isObject(there.metadata) && there.metadata[hashKey] !== one.hash;
  if (changed.length > 0 || isOther) {
    if (["registering", "activating", "updating-active", "updating-inactive"].includes(there.state))
      return false;
    if (there.state !== "active" && there.state !== "inactive") {
      throw new ComposeError(
        `Service ${one.name} must be state=active or inactive to upgrade, currently: state=${there.state}`,
      );
    }
    if (isOther) updateOne(app, s, there, one);
    else beginUpgrade(there, strategyFor(one, changed), app);
    return false;
  }
  link(app, s, one);
  if (there.state === "inactive" && one.start) app.engine.activate(there);
  return there.transitioning !== "yes";
}

/** Names of launch configurations that the files change, add or leave out. */
function changedConfigs(there: ServiceDoc, one: ComposeService): string[] {
  const old = new Map<string, string | undefined>();
  if (there.launchConfig !== null) old.set(one.name, mapOf(there.launchConfig, "labels")[hashKey]);
  for (const config of there.secondaryLaunchConfigs ?? [])
    old.set(String(config.name), mapOf(config, "labels")[hashKey]);
  const names = new Set([...old.keys(), ...Object.keys(one.hashes)]);
  if (one.kind === "externalService") return [];
  return [...names].filter((name) => old.get(name) !== one.hashes[name]);
}

function strategyFor(one: ComposeService, changed: readonly string[]): Body {
  const sidekicks = (one.body["secondaryLaunchConfigs"] ?? []) as Body[];
  const gone = changed.filter((name) => !(name in one.hashes));
  return {
    startFirst: one.startFirst,
    ...(changed.includes(one.name) ? { launchConfig: one.body["launchConfig"] } : {}),
    secondaryLaunchConfigs: [
      ...sidekicks.filter(({ name }) => changed.includes(String(name))),
      ...gone.map((name) => ({ name, imageUuid: "rancher/none" })),
    ],
  };
}

/** As PUT: everything but launch configurations, and the scale stays as it is. */
function updateOne(app: App, s: StackDoc, there: ServiceDoc, one: ComposeService): void {
  const { launchConfig: _l, secondaryLaunchConfigs: _s, scale: _n, ...body } = one.body;
  const within = { app, project: app.db.accounts.get(s.accountId) };
  atServer(s, one.kind, () => {
    updateService(there, resolveBalancer(app, s, body), within);
  });
}

const find = (app: App, s: StackDoc, name: string): ServiceDoc | undefined =>
  servicesOf(s, { app }).find((x) => x.name === name && x.state !== "removing");

function make(app: App, s: StackDoc, one: ComposeService): void {
  const { db } = app;
  atServer(s, one.kind, () => {
    const body = { ...resolveBalancer(app, s, one.body), stackId: formatId("stack", s.id) };
    createService(one.kind, withPorts(body), { app, project: db.accounts.get(s.accountId) });
  });
  link(app, s, one);
}

/** On create, not on upgrade, ports are written in full: recorded. */
function withPorts(body: Body): Body {
  const config = body["launchConfig"];
  if (!isObject(config) || !Array.isArray(config["ports"])) return body;
  const ports = config["ports"].map((port) =>
    String(port).includes("/") ? String(port) : `${String(port)}/tcp`,
  );
  return { ...body, launchConfig: { ...config, ports } };
}

/** What the server refuses is told in the executor's words. */
function atServer(s: StackDoc, kind: ComposeKind, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { code, fieldName, status } = error;
    const field = fieldName === undefined ? "" : `, fieldName=${fieldName}`;
    const url = `${executorsServer}/projects/${formatId("account", s.accountId) ?? ""}/${paths[kind]}`;
    throw new ComposeError(
      `Bad response statusCode [${String(status)}]. Status [${String(status)} Unprocessable Entity]. ` +
        `Body: [code=${code}${field}, baseType=error] from [${url}]`,
    );
  }
}

/** Puts ids for the names of services and certificates in a balancer's configuration. */
function resolveBalancer(app: App, s: StackDoc, body: Body): Body {
  const config = body["lbConfig"];
  if (!isObject(config)) return body;
  const { certs, default_cert: defaultCert, portRules, ...rest } = config;
  const certificateId = (name: string): string => {
    const found = app.db.certificates
      .live()
      .find((c) => c.accountId === s.accountId && c.name === name);
    if (found === undefined) throw new ComposeError(`Failed to find certificate ${name}`);
    return formatId("certificate", found.id);
  };
  return {
    ...body,
    lbConfig: {
      ...rest,
      ...(Array.isArray(certs) && certs.length > 0
        ? { certificateIds: certs.map((name) => certificateId(String(name))) }
        : {}),
      ...(typeof defaultCert === "string"
        ? { defaultCertificateId: certificateId(defaultCert) }
        : {}),
      portRules: ((portRules ?? []) as Body[]).map(({ service, ...rule }) => {
        if (service === undefined) return rule;
        const target = resolve(app, s, String(service));
        if (target === undefined)
          throw new ComposeError(`Failed to find service: ${String(service)}`);
        return { ...rule, serviceId: formatId("service", target.id) };
      }),
    },
  };
}

/** `name` in the same stack, `stack/name` in another one of the environment. */
function resolve(app: App, s: StackDoc, text: string): ServiceDoc | undefined {
  const [first = "", second] = text.split("/");
  const stack =
    second === undefined
      ? s
      : app.db.stacks.live().find((x) => x.accountId === s.accountId && x.name === first);
  return stack === undefined ? undefined : find(app, stack, second ?? first);
}

/** A link to a service that is not there is left out, as in Rancher. A balancer's links follow its rules. */
function link(app: App, s: StackDoc, one: ComposeService): void {
  const there = find(app, s, one.name);
  if (there === undefined || there.selectorLink !== null) return;
  if (one.kind === "externalService" || one.kind === "loadBalancerService") return;
  const links = one.links.flatMap(({ service, name }) => {
    const target = resolve(app, s, service);
    return target === undefined ? [] : [{ serviceId: formatId("service", target.id), name }];
  });
  setLinks(there, links, app);
}

/**
 * Acts on each of a stack's services that fits, one after the other; true when all have rested. One that
 * fails holds the stack up for as long as it fails.
 */
function eachRested(
  app: App,
  s: StackDoc,
  fits: (x: ServiceDoc) => boolean,
  act: (x: ServiceDoc) => void,
): boolean {
  for (const x of servicesOf(s, { app })) {
    if (x.transitioning !== "no" || fits(x)) {
      const isFailing = x.transitioning === "error";
      app.db.stacks.update(s, {
        transitioning: isFailing ? "error" : "yes",
        transitioningMessage: isFailing
          ? `Waiting for ${x.name ?? ""} failed: ${x.transitioningMessage ?? ""}`
          : "In Progress",
      });
      if (x.transitioning === "no") act.call(app.engine, x);
      return false;
    }
  }
  return Date.now() - s.stateSince >= app.timings.transition;
}
