// A playground as a person has it: in a browser.
import { newPage } from "./browser.mjs";
import { playground } from "./playgrounds.mjs";

/** A playground, and a page of it that is connected. */
export async function opened(options) {
  const served = await playground(options);
  const page = await newPage();
  await page.goto(served.url);
  await page.until(`document.getElementById("connection").textContent === "connected"`);
  return { served, page };
}
