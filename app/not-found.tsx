import Link from "next/link";
import { buttonClass } from "./_components/ui/button";
import { Card } from "./_components/ui/surface";
import { EmptyState } from "./_components/ui/view-states";

export default function NotFound() {
  return (
    <>
      <h1 className="sr-only">Not found</h1>
      <Card>
        <EmptyState
          title="There is no such page"
          action={
            <Link href="/" className={buttonClass()}>
              To the overview
            </Link>
          }
        >
          The address may have a typing mistake. A job's page is named by its whole id.
        </EmptyState>
      </Card>
    </>
  );
}
