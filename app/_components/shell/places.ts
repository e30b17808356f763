import { LayoutList, ListTree, type LucideIcon, OctagonX, Server } from "lucide-react";

/** Where one can go. The key follows `g`. */
export type Place = { href: string; label: string; icon: LucideIcon; key: string; short: string };

export const PLACES: readonly Place[] = [
  { href: "/", label: "Overview", short: "Overview", icon: LayoutList, key: "o" },
  { href: "/dead", label: "Dead letters", short: "Dead", icon: OctagonX, key: "d" },
  { href: "/queues", label: "Queues", short: "Queues", icon: ListTree, key: "q" },
  { href: "/workers", label: "Workers", short: "Workers", icon: Server, key: "w" },
];

export const CREATE = { href: "/create", label: "New job", key: "c" };
