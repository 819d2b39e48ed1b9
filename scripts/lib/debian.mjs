// Debian's packages, where this user may install them.

import { existsSync } from "node:fs";

import { answers, mustRun, which } from "./process.mjs";
import { say } from "./report.mjs";

/** Waits for another apt instead of failing at once. */
const LOCK = "DPkg::Lock::Timeout=600";

let prefix; // [] as root, ["sudo", "-n"] with a sudo that asks nothing, false when apt cannot be used

export async function canUseApt() {
  prefix ??= await findPrefix();
  return prefix !== false;
}

async function findPrefix() {
  if (!existsSync("/etc/debian_version") || which("apt-get") === null) return false;
  if (process.getuid?.() === 0) return [];
  return (await answers("sudo", ["-n", "true"])) ? ["sudo", "-n"] : false;
}

/** Installs packages; call only when [`canUseApt`]. */
export async function aptInstall(packages) {
  say(`· installing ${packages.join(" ")} ...`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const apt = async (...args) => {
    const [command, ...rest] = [...prefix, "apt-get", "-o", LOCK, "-qq", ...args];
    await mustRun(command, rest, { env });
  };
  await apt("update");
  await apt("install", "-y", "--no-install-recommends", ...packages);
}
