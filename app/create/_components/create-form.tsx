"use client";

import { useQuery } from "@tanstack/react-query";
import { useRouter, useSearchParams } from "next/navigation";
import { type FormEvent, useRef, useState } from "react";
import { newKey } from "@/_api/idempotency-key";
import { useSubmit } from "@/_api/mutations";
import { ApiProblem, sentenceOf } from "@/_api/problem";
import { jobTypesQuery } from "@/_api/queries";
import type { JobType } from "@/_api/types";
import { payloadFault } from "@/_components/json/json-editor";
import { Card } from "@/_components/ui/surface";
import { EmptyState, ErrorState } from "@/_components/ui/view-states";
import { CreateSkeleton } from "./create-skeleton";
import { type Draft, draftFaults, newDraft, type ServerFaults, sortFaults, submissionOf } from "./form-state";
import { MetadataFields } from "./metadata-fields";
import { OptionFields } from "./option-fields";
import { PayloadFields } from "./payload-fields";
import { ShellCommand } from "./shell-command";
import { Summary } from "./summary";
import { TypeFields } from "./type-fields";

/** Loads what can be created; the form itself begins when that is known. */
export function CreateForm() {
  const types = useQuery({
    ...jobTypesQuery(),
    refetchInterval: (query) => (query.state.data ? false : 2000),
  });
  const wanted = useSearchParams().get("type");
  if (types.isError && !types.data) {
    return (
      <Card>
        <ErrorState error={types.error} onRetry={() => void types.refetch()} />
      </Card>
    );
  }
  if (!types.data) return <CreateSkeleton />;
  const first = types.data.find(({ name }) => name === wanted) ?? types.data[0];
  if (!first) {
    return (
      <Card>
        <EmptyState title="There are no job types">
          A type appears here as soon as a worker that serves it has started.
        </EmptyState>
      </Card>
    );
  }
  return <Form key={first.name} types={types.data} first={first} />;
}

const NO_FAULTS: ServerFaults = { fields: {}, members: {}, lines: [], rest: [] };

function Form({ types, first }: { types: JobType[]; first: JobType }) {
  const router = useRouter();
  const [draft, setDraft] = useState(() => newDraft(first));
  const [idempotencyKey, setKey] = useState(newKey);
  const [refused, setRefused] = useState(NO_FAULTS);
  const submit = useSubmit();
  const sent = useRef(false); // a second click comes before the next render

  const type = types.find(({ name }) => name === draft.type) ?? first;
  const own = draftFaults(draft);
  const broken = payloadFault(draft.payload);
  const mistaken = broken
    ? `Line ${broken.line} of the payload is not right yet`
    : Object.keys(own).length > 0 && "A field is not right yet";

  function change(part: Partial<Draft>) {
    setDraft((old) => ({ ...old, ...part }));
    setRefused(NO_FAULTS);
  }

  function onSubmit(event: FormEvent) {
    event.preventDefault();
    if (mistaken || sent.current) return;
    sent.current = true;
    submit.mutate(
      { submission: submissionOf(draft), idempotencyKey },
      {
        onSuccess: (job) => router.push(`/jobs/${job.id}`),
        onError: (error) => {
          sent.current = false;
          const faults = error instanceof ApiProblem ? sortFaults(error.faults, draft.payload) : NO_FAULTS;
          const placed = Object.keys(faults.fields).length + faults.lines.length + faults.rest.length > 0;
          setRefused(placed ? faults : { ...NO_FAULTS, rest: [sentenceOf(error)] });
          // This key stands for the form as it was; what is sent next is another request.
          if (error instanceof ApiProblem && error.kind === "idempotency_key_reused") setKey(newKey());
        },
      },
    );
  }

  const faults = { ...refused.fields, ...own };
  return (
    <form
      noValidate
      onSubmit={onSubmit}
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) event.currentTarget.requestSubmit();
      }}
      className="flex min-w-0 flex-col gap-4"
    >
      <TypeFields types={types} type={type} draft={draft} faults={faults} onChange={change} />
      <PayloadFields
        type={type}
        payload={draft.payload}
        lines={refused.lines}
        faults={refused.members}
        onChange={change}
      />
      <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,2fr)_minmax(0,3fr)]">
        <OptionFields draft={draft} faults={faults} onChange={change} />
        <MetadataFields rows={draft.metadata} error={faults.metadata} onChange={change} />
      </div>
      <ShellCommand draft={draft} idempotencyKey={idempotencyKey} />
      <Summary
        draft={draft}
        type={type}
        problems={refused.rest}
        disabledReason={submit.isPending ? "The job is on its way" : mistaken}
        pending={submit.isPending}
      />
    </form>
  );
}
