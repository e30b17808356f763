import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { JobMetadata } from "./job-metadata";

it("links each pair to the jobs that have it, and copies its value", async () => {
  const user = userEvent.setup();
  const writeText = vi.spyOn(navigator.clipboard, "writeText");
  render(<JobMetadata metadata={{ customer: "Ada & sons", "a:b": "" }} />);
  const link = screen.getByRole("link", { name: "Ada & sons" });
  expect(link).toHaveAttribute("href", "/?metadata=customer%3AAda+%26+sons");
  expect(screen.getByRole("link", { name: "(empty)" })).toHaveAttribute("href", "/?metadata=a%5C%3Ab%3A");
  await user.click(screen.getByRole("button", { name: "Copy value of customer" }));
  expect(writeText).toHaveBeenCalledWith("Ada & sons");
});

it("is not there without metadata", () => {
  const { container } = render(<JobMetadata metadata={null} />);
  expect(container).toBeEmptyDOMElement();
});
