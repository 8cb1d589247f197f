import * as pulumi from "@pulumi/pulumi";

/** The type token of a component class: `rancher-cattle:index:Network`. */
export function token(className: string): string {
  return `rancher-cattle:index:${className}`;
}

/**
 * Tags of an AWS resource: what it is called in the console, and which stack and component own it.
 *
 * @param name the resource's logical name
 * @param component the class of the component it belongs to
 */
export function tags(name: string, component: string): Record<string, string> {
  return {
    Name: `${pulumi.getStack()}-${name}`,
    project: pulumi.getProject(),
    stack: pulumi.getStack(),
    component,
  };
}
