export { memoryPlan, type MemoryPlan } from "./instanceTypes";
export {
  readSettings,
  type Settings,
  type SiteCertificate,
  type SiteMail,
  warnAhead,
} from "./settings";
export { dataDirectories } from "./storage";
