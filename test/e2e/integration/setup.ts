import type { TestProject } from "vitest/node";
import { openDeployment, type Deployment } from "../deployment.ts";

declare module "vitest" {
  interface ProvidedContext {
    readonly deployment: Deployment;
  }
}

/** Runs once before all files, and what it returns after them. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { deployment, close } = await openDeployment(process.env);
  process.stdout.write(`integration: ${deployment.url}, model ${deployment.model}\n`);
  project.provide("deployment", deployment);
  return close;
}
