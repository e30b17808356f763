import type { components } from "./schema";

type Schemas = components["schemas"];

export type JobSummary = Schemas["JobSummary"];
export type Job = Schemas["Job"];
export type Attempt = Schemas["Attempt"];
export type JobState = JobSummary["state"];
/** exampleText is the example as the API spells it. */
export type JobType = Schemas["JobType"] & { exampleText?: string | undefined };
export type Metrics = Schemas["Metrics"];
export type Queue = Schemas["Queue"];
export type Worker = Schemas["Worker"];
export type Problem = Schemas["Problem"];
export type Fault = Schemas["Fault"];
export type RedriveRequest = Schemas["RedriveRequest"];

/** A job whole. Payload and result are the text the API sent: a parsed number might be another one. */
export type JobDetail = Omit<Schemas["JobDetail"], "payload" | "result"> & {
  payload: string;
  result: string | null;
};

/** A submission whose payload is the text that was typed. */
export type SubmissionText = Omit<Schemas["Submission"], "payload"> & { payload: string };
