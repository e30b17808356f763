/** How wide each column of the job table is, and from which width of the window on it is there. */
export const COLUMNS = {
  select: "hidden w-10 pl-4 sm:table-cell",
  state: "w-[7.75rem] pl-4 sm:w-[8.5rem] sm:pl-1",
  job: "px-2 sm:w-[15rem]",
  queue: "hidden w-28 px-2 lg:table-cell",
  attempts: "hidden w-24 px-2 md:table-cell",
  detail: "hidden px-2 sm:table-cell",
  age: "w-14 px-2 text-right",
  act: "w-10 pr-2",
};
