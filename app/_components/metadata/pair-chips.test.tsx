import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { PairChips } from "./pair-chips";

it("takes away the pair that is clicked", async () => {
  const onChange = vi.fn();
  render(<PairChips pairs={["customer:ada", "a\\:b:"]} onChange={onChange} />);
  expect(screen.getAllByRole("listitem")).toHaveLength(2);
  expect(screen.getByText("(empty)")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Remove customer: ada" }));
  expect(onChange).toHaveBeenCalledWith(["a\\:b:"]);
});

it("is not there without a filter", () => {
  const { container } = render(<PairChips pairs={undefined} onChange={() => {}} />);
  expect(container).toBeEmptyDOMElement();
});
