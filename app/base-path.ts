/**
 * What the addresses of this window begin with: "", or "/prefix" where a program mounts it below one. Links and the
 * router know it already. Only what is put together by hand needs it.
 */
export const BASE_PATH = process.env.BASE_PATH ?? "";
