/** What a colour says. Never the only carrier of a meaning: an icon or a word stands beside it. */
export type Tone = "neutral" | "violet" | "blue" | "amber" | "green" | "red";

export const TONES: Record<Tone, { badge: string; text: string; fill: string }> = {
  neutral: { badge: "bg-neutral-wash text-neutral", text: "text-neutral", fill: "bg-neutral" },
  violet: { badge: "bg-violet-wash text-violet", text: "text-violet", fill: "bg-violet" },
  blue: { badge: "bg-blue-wash text-blue", text: "text-blue", fill: "bg-blue" },
  amber: { badge: "bg-amber-wash text-amber", text: "text-amber", fill: "bg-amber" },
  green: { badge: "bg-green-wash text-green", text: "text-green", fill: "bg-green" },
  red: { badge: "bg-red-wash text-red", text: "text-red", fill: "bg-red" },
};
