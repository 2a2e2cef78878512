/*
 * A virtio balloon device in C: a vhost-user back end that really gives memory back.
 *
 *     cc -std=c99 -Wall -Wextra -pedantic -o balloon vhost_user_balloon.c
 *     vhint conform vhost-user --spawn './balloon {socket}'
 *
 * Written from the VIRTIO standard, the vhost-user protocol and vhint's specification of the
 * hinting virtqueue, for reading: one thread, split rings, inflate, deflate, free page reporting
 * and hint-pfn.  -DFAULT=n plants a fault that real devices had, for the suite to find.
 */
#include "vhost_user.h"

/* The queues; each returns the used length */

static int must_keep_content(void)
{
    return FAULT != IGNORES_POISON && features & F_PAGE_POISON && config.poison;
}

static uint32_t inflate(void)
{
    static uint32_t pfns[1 << 20];
    uint64_t count = copy_in(pfns, sizeof pfns) / sizeof *pfns;

    for (uint64_t i = 0; i < count && i < sizeof pfns / sizeof *pfns; i++)
        discard((uint64_t)pfns[i] * PAGE, is_ram((uint64_t)pfns[i] * PAGE, PAGE) ? PAGE : 0);
    return 0;
}

static uint32_t report(void)
{
    uint32_t sum = 0;

    for (int i = 0; i < buffers; i++) {
        uint64_t end = (chain[i].addr + chain[i].len) / PAGE * PAGE;
        uint64_t start = (chain[i].addr + PAGE - 1) / PAGE * PAGE;

        if (!chain[i].writable || must_keep_content() || start >= end)
            continue;
        if (is_ram(chain[i].addr, chain[i].len))
            discard(start, end - start);
        sum += chain[i].len;
    }
    return FAULT == WRONG_LENGTH ? sum : 0;
}

enum status { OK, PARTIAL, MALFORMED, UNSUPPORTED, INHIBITED };
struct hints {
    uint16_t type, flags;
    uint32_t count;
    uint64_t cookie;
    struct block block[MAX_HINTS];
};
struct answer { uint64_t cookie; uint32_t status, processed; uint8_t bits[MAX_HINTS / 8]; };
enum { HEADER = 16 };

static enum status judge(const struct hints *hints, uint64_t length)
{
    if (length < HEADER)
        return MALFORMED;
    if (hints->type != 1 || hints->count > MAX_HINTS)
        return UNSUPPORTED;
    if (hints->flags || length != HEADER + hints->count * sizeof *hints->block)
        return MALFORMED;
    for (uint32_t i = 0; i < hints->count; i++) {
        const struct block *block = &hints->block[i];
        uint64_t pages = block->order > 40 ? 0 : BIT(block->order);

        if (block->reserved || !pages || block->pfn > BIT(52) - pages || block->pfn & (pages - 1))
            return MALFORMED;
        if (FAULT == FIRST_BYTE_ONLY ? !region_of(block->pfn * PAGE)
                                     : !is_ram(block->pfn * PAGE, pages * PAGE))
            return MALFORMED;
    }
    return must_keep_content() ? INHIBITED : OK;
}

static uint32_t hint(void)
{
    static struct hints hints;
    struct answer answer;
    uint64_t length = copy_in(&hints, sizeof hints);
    uint32_t size = HEADER;

    if (copy_out(NULL, HEADER) < HEADER)
        return 0; /* no room for an answer: nothing is touched */
    memset(&answer, 0, sizeof answer);
    answer.cookie = length < HEADER || FAULT == LOST_COOKIE ? 0 : hints.cookie;
    answer.status = judge(&hints, length);
    if (answer.status == OK) {
        for (uint32_t i = 0; i < hints.count; i++) {
            if (FAULT == DOUBLE_FETCH) {
                static struct hints again;

                copy_in(&again, sizeof again);
                hints.block[i] = again.block[i];
            }
            discard(hints.block[i].pfn * PAGE, (uint64_t)PAGE << hints.block[i].order);
            answer.bits[i / 8] |= (uint8_t)(1 << i % 8);
        }
        answer.processed = hints.count;
        size += (hints.count + 7) / 8;
    }
    return copy_out((const uint8_t *)&answer, size);
}

/* Split rings */

static int add_buffer(const struct descriptor *descriptor, int queue)
{
    int writable = !!(descriptor->flags & 2);

    /* A report may name what is not RAM: it is left out, and the report is used. */
    if (!is_ram(descriptor->addr, descriptor->len) && !(queue == REPORTING && writable))
        return 0;
    if (descriptor->addr + descriptor->len < descriptor->addr || buffers == BUFFERS)
        return 0;
    if (buffers && chain[buffers - 1].writable && !writable)
        return 0;
    chain[buffers++] = (struct buffer){descriptor->addr, descriptor->len, writable};
    return 1;
}

/* Read the chain at `head` into `chain`; return whether it makes sense. */
static int read_chain(const struct ring *ring, const struct descriptor *table, uint16_t head,
                      int queue)
{
    uint64_t size = ring->size;
    uint16_t index = head;
    int nested = 0;

    buffers = 0;
    for (uint64_t steps = 0; steps < ring->size; steps++) {
        struct descriptor descriptor;

        if (index >= size)
            return 0;
        memcpy(&descriptor, &table[index], sizeof descriptor); /* once, whatever the driver does */
        if (descriptor.flags & 4) {
            uint8_t *at;

            if (nested || descriptor.flags & 1 || !(features & F_INDIRECT) || !descriptor.len ||
                descriptor.len % sizeof descriptor ||
                piece(descriptor.addr, descriptor.len, &at) != descriptor.len)
                return 0;
            nested = 1;
            table = (const struct descriptor *)(void *)at;
            size = descriptor.len / sizeof descriptor;
            index = 0;
            continue;
        }
        if (!add_buffer(&descriptor, queue))
            return 0;
        if (!(descriptor.flags & 1))
            return 1;
        index = descriptor.next;
    }
    return 0; /* longer than the ring: a loop */
}

static void signal_fd(int fd)
{
    uint64_t one = 1;

    if (fd >= 0 && write(fd, &one, sizeof one) < 0 && errno != EAGAIN)
        perror("eventfd");
}

static uint32_t serve_chain(int queue)
{
    switch (queue) {
    case INFLATE:
        return inflate();
    case REPORTING:
        return report();
    case HINTING:
        return hint();
    }
    return 0; /* deflate: the page comes back when it is touched */
}

static void serve(int queue)
{
    struct ring *ring = &rings[queue];
    uint16_t *avail = user_pointer(ring->avail, 6 + 2 * ring->size);
    uint16_t *used = user_pointer(ring->used, 6 + 8 * ring->size);
    struct descriptor *table = user_pointer(ring->desc, 16 * ring->size);

    if (!ring->size || !avail || !used || !table || ring->broken ||
        (!ring->enabled && FAULT != EARLY_START))
        return;
    for (uint16_t end; (end = __atomic_load_n(&avail[1], __ATOMIC_ACQUIRE)) != ring->next;) {
        uint16_t head = avail[2 + ring->next % ring->size];
        uint32_t element[2];

        if ((uint16_t)(end - ring->next) > ring->size || head >= ring->size ||
            !read_chain(ring, table, head, queue)) {
            ring->broken = 1; /* until it is set up again */
            signal_fd(ring->err);
            return;
        }
        ring->next++;
        element[0] = head;
        element[1] = FAULT == LATE_DISCARD ? 0 : serve_chain(queue);
        memcpy(&used[2 + 4 * (ring->used_next % ring->size)], element, sizeof element);
        __atomic_store_n(&used[1], ++ring->used_next, __ATOMIC_RELEASE);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (!(__atomic_load_n(&avail[0], __ATOMIC_RELAXED) & 1))
            signal_fd(ring->call);
        if (FAULT == LATE_DISCARD) {
            nanosleep(&(struct timespec){0, 20000000}, NULL);
            serve_chain(queue);
        }
        if (FAULT == ONE_CHAIN)
            return;
    }
}

static void serve_front_end(int to)
{
    for (;;) {
        struct pollfd waiting[1 + QUEUES] = {{to, POLLIN, 0}};

        for (int i = 0; i < QUEUES; i++)
            waiting[1 + i] = (struct pollfd){rings[i].kick, POLLIN, 0};
        if (poll(waiting, 1 + QUEUES, -1) < 0)
            continue;
        for (int i = 0; i < QUEUES; i++) {
            uint64_t kicks;

            if (waiting[1 + i].revents && read(rings[i].kick, &kicks, sizeof kicks) > 0)
                serve(i);
        }
        if (waiting[0].revents && !converse(to))
            return;
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (argc != 2 || strlen(argv[1]) >= sizeof at.sun_path) {
        fprintf(stderr, "usage: %s SOCKET\n", argv[0]);
        return 2;
    }
    strcpy(at.sun_path, argv[1]);
    unlink(argv[1]);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1)) {
        perror(argv[1]);
        return 1;
    }
    for (int i = 0; i < QUEUES; i++)
        rings[i] = (struct ring){.kick = -1, .call = -1, .err = -1};
    for (;;) {
        int to = accept(listener, NULL, NULL);

        if (to < 0)
            continue;
        serve_front_end(to);
        close(to);
        reset();
        for (int i = 0; i < QUEUES; i++) {
            shut(&rings[i].kick);
            shut(&rings[i].call);
            shut(&rings[i].err);
            rings[i].enabled = 0;
        }
        protocol = 0;
        forget_ram();
    }
}
