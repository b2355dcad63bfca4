import { cleanup, render, screen } from "@testing-library/preact";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test } from "vitest";
import { ServiceError } from "../service/errors.ts";
import { lines, Prebuild } from "./prebuild.tsx";
import { aBuild, aService } from "./testing.ts";

afterEach(cleanup);

test("a list may have empty lines, comments and doubles", () => {
  expect(lines(" gh/a/b \r\n\n# later\nx\nx")).toEqual(["gh/a/b", "x"]);
});

test("what is refused says why and stays in the field", async () => {
  const user = userEvent.setup();
  const { service } = aService([], {
    begin: async (text: string) => {
      if (text === "bad") {
        throw new ServiceError("spec-invalid", "This is no repository.", 400, null);
      }
      return aBuild({ id: "good", cached: true });
    },
  } as never);
  const begun: string[] = [];
  render(
    <Prebuild
      service={service}
      addressOf={(id) => `/b/${id}`}
      onBegun={(build) => begun.push(build.id)}
    />,
  );
  const field = screen.getByLabelText<HTMLTextAreaElement>("Repositories, one per line");
  await user.type(field, "https://h/r{enter}bad");
  await user.click(screen.getByRole("button", { name: "Build them" }));
  expect(await screen.findByText("This is no repository.")).toBeTruthy();
  expect(screen.getByRole("link", { name: "is built already" }).getAttribute("href")).toBe(
    "/b/good",
  );
  expect(field.value).toBe("bad");
  expect(begun).toEqual(["good"]);
});
