/** Rancher 1.6 for Pulumi programs: `import * as rancher from "./rancher"`. */
export * from "./sdk/accessControl";
export * from "./sdk/apiKey";
export * from "./sdk/certificate";
export * from "./sdk/environment";
export * from "./sdk/getEnvironment";
export * from "./sdk/host";
export * from "./sdk/launchConfig";
export * from "./sdk/loadBalancer";
export * from "./sdk/provider";
export * from "./sdk/registrationToken";
export * from "./sdk/service";
export * from "./sdk/setting";
export * from "./sdk/stack";
