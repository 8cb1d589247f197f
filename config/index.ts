export { memoryPlan, type MemoryPlan } from "./instanceTypes";
export { readSettings, type Settings, type SiteCertificate, type SiteMail } from "./settings";
export { dataDirectories } from "./storage";
