/** How wide each column of the job table is, and from which width of the window on it is there. */
export const COLUMNS = {
  select: "hidden w-10 pl-4 sm:table-cell",
  state: "w-[7.75rem] pl-4 sm:w-[8.5rem] sm:pl-1",
  job: "px-2 py-1 sm:w-44 xl:w-60",
  queue: "hidden w-32 px-2 py-1 lg:table-cell xl:w-40",
  attempts: "hidden w-24 px-2 md:table-cell lg:hidden xl:table-cell",
  detail: "hidden px-2 sm:table-cell",
  age: "w-14 px-2 text-right",
  act: "w-10 pr-2",
};
