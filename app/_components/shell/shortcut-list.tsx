import { Kbd } from "../ui/surface";
import { CREATE, PLACES } from "./places";

const GROUPS: readonly { title: string; rows: readonly (readonly [string, string])[] }[] = [
  {
    title: "Go to",
    rows: [...PLACES.map(({ key, label }) => [`g ${key}`, label] as const), [CREATE.key, CREATE.label]],
  },
  {
    title: "In a list of jobs",
    rows: [
      ["j", "Next job or group"],
      ["k", "Previous job or group"],
      ["Enter", "Open it"],
      ["x", "Select the job"],
      ["r", "Retry the job, or the group"],
      ["s", "Cancel the job"],
      ["f", "Go to the filters"],
      [".", "Show new jobs"],
      ["Esc", "Clear the selection"],
    ],
  },
  {
    title: "In the lists of queues and workers",
    rows: [
      ["j", "Next row"],
      ["k", "Previous row"],
      ["Enter", "Open it"],
    ],
  },
  {
    title: "On a job's page",
    rows: [
      ["r", "Retry"],
      ["a", "Run again"],
      ["s", "Cancel"],
      ["j", "Next job of the list"],
      ["k", "Previous job of the list"],
    ],
  },
  {
    title: "In a payload or a result",
    rows: [
      ["↑ ↓", "Previous or next line"],
      ["← →", "Fold or unfold"],
      ["Home End", "First or last line"],
      ["Enter", "Fold, unfold, or show a long text whole"],
    ],
  },
  {
    title: "In the form for a new job",
    rows: [["⌘ Enter", "Create the job; Ctrl Enter without a ⌘ key"]],
  },
  {
    title: "Anywhere",
    rows: [
      ["/", "Find a page, an action or a job by its id"],
      ["⌘ K", "The same; Ctrl K without a ⌘ key"],
      ["?", "This list"],
    ],
  },
];

export function ShortcutList() {
  return (
    <div className="flex flex-col gap-5">
      {GROUPS.map(({ title, rows }) => (
        <section key={title} aria-label={title}>
          <h3 className="mb-2 text-xs font-medium text-ink-faint">{title}</h3>
          <dl className="flex flex-col gap-1.5">
            {rows.map(([press, what]) => (
              <div key={press} className="flex items-center justify-between gap-4">
                <dt>{what}</dt>
                <dd className="flex gap-1">
                  {press.split(" ").map((part) => (
                    <Kbd key={part}>{part}</Kbd>
                  ))}
                </dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </div>
  );
}
