import * as pulumi from "@pulumi/pulumi";

/** Arguments of {@link Stack}. */
export interface StackArgs {
  /**
   * 1 to 63 letters, digits and hyphens, no hyphen at either end, unique in the environment. Changes in
   * place.
   */
  readonly name: pulumi.Input<string>;
  /** At most 1024 characters. Changes in place. */
  readonly description?: pulumi.Input<string>;
  /**
   * Services, as a docker-compose text of version 2, or of version 1, which has no `version` (YAML; a text
   * with `{{` is a template that only the server can check). A change is an upgrade. Adding it to a stack that was made without one, or
   * taking it away, replaces.
   */
  readonly dockerCompose?: pulumi.Input<string>;
  /**
   * How Rancher runs these services (scale, health checks, …), as a rancher-compose text. A change is an
   * upgrade, but the server leaves the scale of a service that is there as it is.
   */
  readonly rancherCompose?: pulumi.Input<string>;
  /** Variables of the compose texts (`${NAME}`). A change is an upgrade. May be secret. */
  readonly environment?: pulumi.Input<Record<string, pulumi.Input<string | number | boolean>>>;
  /**
   * Start the services. Changing false to true starts them; changing true to false leaves them running.
   *
   * @default true
   */
  readonly startOnCreate?: pulumi.Input<boolean>;
  /** Another one replaces; leaving it out changes nothing. @default the provider's environment */
  readonly environmentId?: pulumi.Input<string>;
}

/**
 * A name under which services live together. It is made empty, for services that the program makes, or with
 * services made from compose texts. Deleting it deletes every service in it.
 *
 * With compose texts, creating waits (10 minutes unless `customTimeouts` say otherwise) until the
 * environment's own stacks are healthy, the stack is active, and all its containers run and are healthy. A
 * stack that the server gives up is removed, and its message told. An upgrade finishes by itself when stack
 * and services are well. It is canceled and rolled back when nothing gets on (for two minutes and the time
 * that its containers may take, see `Service`), when the server itself says for 15 seconds that it
 * failed, or when 70 % of the time are over; the update then fails with what the new containers do. A service
 * that is in the text no more is removed; services that no text names are left alone and not waited for.
 *
 * The server does not show which text it executed last, so a refresh compares the mark that each upgrade
 * leaves (`externalId`), the names of the services, and whether they run; single fields of a service that
 * were changed by hand are not found.
 *
 * Throws when the environment has a stack of this name that this program did not make.
 *
 * Import by id, `environment/id` or `environment/name`; an environment by its id or name.
 *
 * Source: `stacks` of the server's v2-beta API.
 */
export class Stack extends pulumi.CustomResource {
  declare readonly name: pulumi.Output<string>;
  declare readonly description: pulumi.Output<string | undefined>;
  declare readonly dockerCompose: pulumi.Output<string | undefined>;
  declare readonly rancherCompose: pulumi.Output<string | undefined>;
  declare readonly environment: pulumi.Output<Record<string, string> | undefined>;
  declare readonly startOnCreate: pulumi.Output<boolean | undefined>;
  declare readonly environmentId: pulumi.Output<string>;
  /** With compose texts: the mark by which the server says which texts were executed. */
  declare readonly externalId: pulumi.Output<string | undefined>;

  constructor(name: string, args: StackArgs, opts?: pulumi.CustomResourceOptions) {
    const inputs: pulumi.Inputs = {
      name: args.name,
      description: args.description,
      dockerCompose: args.dockerCompose,
      rancherCompose: args.rancherCompose,
      environment: args.environment,
      startOnCreate: args.startOnCreate,
      environmentId: args.environmentId,
      externalId: undefined,
    };
    super("rancher:index:Stack", name, inputs, opts);
  }
}
