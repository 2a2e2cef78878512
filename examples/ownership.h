/*
 * The implementation under test: who owns which page, as the README of the vector files has it.
 *
 * Put your own trace checker in its place: histories.h tells it what happens, step by step, and asks
 * `owned_by_device` and `is_outstanding` at every check.
 */
#ifndef VHINT_EXAMPLE_OWNERSHIP_H
#define VHINT_EXAMPLE_OWNERSHIP_H

#include "hinting.h"

enum { PAGE = 4096, MAX_CLAIMS = 256, MAX_SPANS = 8 };

/*
 * A request with the memory that it is about.  It holds its pages while `holds` is set, which for
 * inflated pages (with MUST_TELL_HOST) and hinted ones is longer than it is outstanding.
 */
struct claim {
    const char *request, *queue;
    int is_outstanding, holds;
    size_t spans;
    struct span span[MAX_SPANS];
    /* Pages that came back while others of the same request did not. */
    size_t returned_count;
    uint64_t returned[MAX_CLAIMS];
};

struct ledger {
    int must_tell_host;
    size_t count;
    struct claim claim[MAX_CLAIMS];
};

static int is_queue(const struct claim *claim, const char *queue)
{
    return !strcmp(claim->queue, queue);
}

/* Whether a page lies wholly inside a span: of others only a part was named. */
static int covers(const struct span *span, uint64_t page)
{
    uint64_t first = span->start / PAGE + (span->start % PAGE != 0);
    uint64_t end = (span->start + span->length) / PAGE;

    return page >= first && page < end;
}

static int names(const struct claim *claim, uint64_t page)
{
    for (size_t i = 0; i < claim->spans; i++)
        if (covers(&claim->span[i], page))
            return 1;
    return 0;
}

static int has_returned(const struct claim *claim, uint64_t page)
{
    for (size_t i = 0; i < claim->returned_count; i++)
        if (claim->returned[i] == page)
            return 1;
    return 0;
}

static int owned_by_device(const struct ledger *ledger, uint64_t page)
{
    for (size_t i = 0; i < ledger->count; i++) {
        const struct claim *claim = &ledger->claim[i];
        if (claim->holds && names(claim, page) && !has_returned(claim, page))
            return 1;
    }
    return 0;
}

/* A page comes back from all claims of a queue, or from all if `queue` is NULL. */
static int give_back(struct ledger *ledger, uint64_t page, const char *queue)
{
    for (size_t i = 0; i < ledger->count; i++) {
        struct claim *claim = &ledger->claim[i];
        if (!claim->holds || (queue && !is_queue(claim, queue)) || !names(claim, page))
            continue;
        if (claim->returned_count == MAX_CLAIMS)
            return 0;
        claim->returned[claim->returned_count++] = page;
    }
    return 1;
}

static int give_back_spans(struct ledger *ledger, const struct span *span, size_t spans,
                           int partly, const char *queue)
{
    for (size_t i = 0; i < spans; i++) {
        uint64_t end = (span[i].start + span[i].length + PAGE - 1) / PAGE;
        for (uint64_t page = span[i].start / PAGE; page < end; page++)
            if ((partly || covers(&span[i], page)) && !give_back(ledger, page, queue))
                return 0;
    }
    return 1;
}

static void on_reset(struct ledger *ledger)
{
    memset(ledger, 0, sizeof *ledger);
}

/* The driver writes to hinted pages: it has taken them back, whole. */
static int on_write(struct ledger *ledger, const struct span *span, size_t spans)
{
    return give_back_spans(ledger, span, spans, 1, "free_page");
}

static int on_offer(struct ledger *ledger, const char *request, const char *queue,
                    const struct span *span, size_t spans)
{
    struct claim *claim = &ledger->claim[ledger->count];

    if (ledger->count == MAX_CLAIMS || spans > MAX_SPANS)
        return 0;
    /* Whoever offers hinted pages anew has taken them back before. */
    if (strcmp(queue, "deflate") && !give_back_spans(ledger, span, spans, 0, "free_page"))
        return 0;
    memset(claim, 0, sizeof *claim);
    claim->request = request;
    claim->queue = queue;
    claim->is_outstanding = 1;
    claim->holds = strcmp(queue, "deflate") != 0;
    claim->spans = spans;
    memcpy(claim->span, span, spans * sizeof *span);
    ledger->count++;
    return 1;
}

static struct claim *claim_of(struct ledger *ledger, const char *request)
{
    for (size_t i = 0; i < ledger->count; i++)
        if (ledger->claim[i].is_outstanding && !strcmp(ledger->claim[i].request, request))
            return &ledger->claim[i];
    return NULL;
}

static int on_use(struct ledger *ledger, const char *request)
{
    struct claim *claim = claim_of(ledger, request);

    if (!claim)
        return 1; /* used twice: nothing is left to give back */
    claim->is_outstanding = 0;
    if (is_queue(claim, "deflate"))
        return give_back_spans(ledger, claim->span, claim->spans, 0, NULL);
    claim->holds = is_queue(claim, "free_page")
                   || (is_queue(claim, "inflate") && ledger->must_tell_host);
    return 1;
}

#endif
