"use client";

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { PollingProvider } from "@/_api/polling";
import { ApiProblem } from "@/_api/problem";
import { Toaster } from "../ui/toaster";

function newClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // What the API refused it will refuse again; what it could not answer, the next refresh asks for.
        retry: (failures, error) => !(error instanceof ApiProblem) && failures < 1,
        retryDelay: 300,
        staleTime: 1000,
        networkMode: "always", // the API may be on this very machine, whatever the browser thinks of the network
      },
      mutations: { networkMode: "always" },
    },
  });
}

export function Providers({ children }: { children: ReactNode }) {
  const [client] = useState(newClient);
  return (
    <QueryClientProvider client={client}>
      <PollingProvider>
        {children}
        <Toaster />
      </PollingProvider>
    </QueryClientProvider>
  );
}
