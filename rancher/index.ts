/** Rancher 1.6 for Pulumi programs: `import * as rancher from "./rancher"`. */
export * from "./sdk/accessControl";
export * from "./sdk/host";
export * from "./sdk/launchConfig";
export * from "./sdk/loadBalancer";
export * from "./sdk/provider";
export * from "./sdk/registrationToken";
export * from "./sdk/service";
export * from "./sdk/stack";
