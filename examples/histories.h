/* The loop over the stateful vectors: what happens, and what must hold in between. */
#ifndef VHINT_EXAMPLE_HISTORIES_H
#define VHINT_EXAMPLE_HISTORIES_H

#include "check.h"
#include "ownership.h"

static const char *const HISTORIES[] = {
    "stateful/life-balloon.json", "stateful/life-free-page-hint.json",
    "stateful/life-hinting.json", "stateful/life-reporting.json"};

static void check_owner(const struct ledger *ledger, const struct json *vector,
                        const struct json *step, const char *name, int devices)
{
    struct span spans[MAX_SPANS];
    size_t count = spans_of(step, name, spans, MAX_SPANS);

    for (size_t i = 0; i < count; i++)
        for (uint64_t page = spans[i].start / PAGE; covers(&spans[i], page); page++)
            expect(owned_by_device(ledger, page) == devices, vector, name, "the other's");
}

static void check_outstanding(struct ledger *ledger, const struct json *vector,
                              const struct json *step)
{
    const struct json *wanted = json_get(step, "outstanding");
    size_t found = 0;

    if (!wanted)
        return;
    for (const struct json *each = wanted->first; each; each = each->next)
        expect(claim_of(ledger, each->text) != NULL, vector, "outstanding", each->text);
    for (size_t i = 0; i < ledger->count; i++)
        found += ledger->claim[i].is_outstanding != 0;
    for (const struct json *each = wanted->first; each; each = each->next)
        found--;
    expect(!found, vector, "outstanding", "others");
}

static void take_step(struct ledger *ledger, const struct json *vector, const struct json *step)
{
    const char *what = json_text(step, "step"), *request = json_text(step, "request");
    struct span spans[MAX_SPANS];
    int good = 1;

    if (!strcmp(what, "reset"))
        on_reset(ledger);
    else if (!strcmp(what, "negotiate"))
        ledger->must_tell_host = mask_of(json_get(step, "accepted")) & 1;
    else if (!strcmp(what, "offer"))
        good = on_offer(ledger, request, json_text(step, "queue"), spans,
                        spans_of(step, "blocks", spans, MAX_SPANS));
    else if (!strcmp(what, "write"))
        good = on_write(ledger, spans, spans_of(step, "spans", spans, MAX_SPANS));
    else if (!strcmp(what, "use"))
        good = on_use(ledger, request);
    else if (!strcmp(what, "check")) {
        check_owner(ledger, vector, step, "device_owns", 1);
        check_owner(ledger, vector, step, "driver_owns", 0);
        check_outstanding(ledger, vector, step);
    }
    expect(good, vector, what, "no room for it");
}

/* Ownership alone: of a device's faults this judge sees none, a real one would. */
static int histories(const char *folder)
{
    static struct ledger ledger;
    int count = 0;

    for (size_t n = 0; n < sizeof HISTORIES / sizeof *HISTORIES; n++) {
        const struct json *v = each_of(open_file(folder, HISTORIES[n]), "vectors");
        for (; v; v = v->next, count++) {
            on_reset(&ledger);
            for (const struct json *step = each_of(v, "steps"); step; step = step->next)
                take_step(&ledger, v, step);
        }
    }
    return count;
}

#endif
