import type { App } from "../app";
import { newDoc } from "../database";
import type { AccountDoc, ServiceDoc } from "../documents";
import { newService } from "../resources/services";
import { usableHosts } from "./scheduler";

/** Name of the template whose stacks an environment of type Cattle has. */
const templateName = "Cattle";

/** The template's stacks and their services; `image` is shown only. Source: facts §3. */
const stacks = [
  {
    name: "network-services",
    templateId: "library:infra*network-services",
    services: [
      ["network-manager", "rancher/network-manager:v0.7.22"],
      ["metadata", "rancher/metadata:v0.10.4"],
    ],
  },
  {
    name: "ipsec",
    templateId: "library:infra*ipsec",
    services: [
      ["ipsec", "rancher/net:v0.13.17"],
      ["cni-driver", "rancher/net:v0.13.17"],
    ],
  },
  {
    name: "scheduler",
    templateId: "library:infra*scheduler",
    services: [["scheduler", "rancher/scheduler:v0.8.6"]],
  },
  {
    name: "healthcheck",
    templateId: "library:infra*healthcheck",
    services: [["healthcheck", "rancher/healthcheck:v0.3.8"]],
  },
] as const;

/** Makes the project template, some time after the first start, as when the catalog has been read. */
export function ensureTemplate(app: App): void {
  const { db, engine, timings } = app;
  if (db.projectTemplates.live().length > 0 || Date.now() - engine.startedAt < timings.catalog)
    return;
  const template = db.projectTemplates.insert({
    ...newDoc("projectTemplate", "active", null),
    name: templateName,
    description: "Default Cattle template",
    transitioning: "no",
    transitioningMessage: null,
    isPublic: true,
    stacks: stacks.map((s) => ({ name: s.name, templateId: s.templateId })),
  });
  app.log(`catalog: project template ${String(template.name)} is there`);
}

/** Gives an environment the template and its stacks, once. Their services wait for the first host. */
export function ensureSystemStacks(app: App, project: AccountDoc): void {
  const { db } = app;
  const chosen = db.projectTemplates.get(project.projectTemplateId);
  const template = chosen ?? db.projectTemplates.live().find((t) => t.name === templateName);
  if (template === undefined || project.stacksCreated || project.state !== "active") return;
  for (const wanted of stacks) {
    const stack = db.stacks.insert({
      ...newDoc("stack", "active", project.id),
      name: wanted.name,
      transitioning: "no",
      transitioningMessage: null,
      healthState: "unhealthy",
      system: true,
      externalId: `catalog://${wanted.templateId}:0`,
      group: null,
      environment: null,
      outputs: null,
      binding: null,
      answers: null,
      templates: null,
      dockerCompose: null,
      rancherCompose: null,
      previousExternalId: null,
      previousEnvironment: null,
      startOnCreate: null,
    });
    for (const [name, image] of wanted.services) {
      db.services.insert(
        newService("service", name, stack.id, project.id, {
          system: true,
          state: "inactive",
          healthState: "unhealthy",
          transitioning: "no",
          transitioningMessage: null,
          launchConfig: {
            type: "launchConfig",
            imageUuid: `docker:${image}`,
            kind: "container",
            labels: {
              "io.rancher.container.system": "true",
              "io.rancher.scheduler.global": "true",
            },
            networkMode: "host",
            version: "0",
          },
          secondaryLaunchConfigs: [],
        }),
      );
    }
  }
  db.accounts.update(project, { projectTemplateId: template.id, stacksCreated: true });
}

/**
 * System services have no containers in the lab: the agents do their work. They start with the first
 * active host; `ipsec` is healthy when every connected host says that its overlay network stands.
 */
export function reconcileSystemService(app: App, s: ServiceDoc): void {
  const { db, agents } = app;
  const hosts = usableHosts(db, s.accountId);
  const old = Date.now() - s.stateSince >= 4 * app.timings.transition;
  if (!s.running) {
    if (hosts.length > 0 && s.state === "inactive") {
      db.setState(db.services, s, "activating", "yes", undefined, { running: true });
    } else {
      db.services.update(s, { healthState: "unhealthy" });
    }
    return;
  }
  if (s.state === "activating" || s.state === "updating-active") {
    if (old) db.setState(db.services, s, "active", "no", null);
  }
  if (s.state !== "active" || hosts.length === 0) return;
  const ready = hosts.filter((h) => s.name !== "ipsec" || agents.networkReady(h.id)).length;
  db.services.update(s, {
    currentScale: hosts.length,
    healthState: ready === hosts.length ? "healthy" : ready > 0 ? "degraded" : "initializing",
  });
}
