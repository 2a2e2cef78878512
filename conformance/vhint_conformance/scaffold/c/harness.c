/*
 * A harness for my-device: it answers vhint over its standard streams, one JSON object a line.
 *
 * Part 1 writes effects, part 2 is the device and yours to fill in (look for FILL IN), part 3
 * reads JSON, part 4 speaks the protocol vhint-harness/1.  Parts 1, 3 and 4 can stay as they are.
 * C11 and POSIX, nothing else.
 */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* ------------------------------------------------------------------------ 1. what a device does */

static bool first_effect;

static void begin_effect(void)
{
    fputs(first_effect ? "" : ",", stdout);
    first_effect = false;
}

/* Give a buffer back, with `data` at the beginning of what the device may write. */
static void effect_use(const char *queue, unsigned id, const uint8_t *data, size_t size)
{
    begin_effect();
    printf("{\"do\":\"use\",\"queue\":\"%s\",\"id\":%u,\"data\":\"", queue, id);
    for (size_t i = 0; i < size; i++)
        printf("%02x", data[i]);
    fputs("\"}", stdout);
}

/* Give memory of the guest back to the host. */
static void effect_discard(uint64_t address, uint64_t length)
{
    begin_effect();
    printf("{\"do\":\"discard\",\"address\":%" PRIu64 ",\"length\":%" PRIu64 "}", address, length);
}

/* Tell the driver that config space has changed. */
static void effect_config_changed(void)
{
    begin_effect();
    fputs("{\"do\":\"config_changed\"}", stdout);
}

/* -------------------------------------------------------------------------------- 2. the device */

/* FILL IN: who you are, and what your device offers. */
#define INTRODUCTION                                                        \
    "\"protocol\":\"vhint-harness/1\","                                     \
    "\"name\":\"my-device\",\"version\":\"0.1\",\"language\":\"C\","        \
    "\"roles\":[\"device\"],"                                               \
    "\"profiles\":[\"balloon\",\"reporting\",\"hint-pfn\"],"                \
    "\"features\":[5,22,32],"                                               \
    "\"can\":[\"sets-balloon-size\"]"

enum { PAGE_REPORTING = 5, HINTING = 22, VERSION_1 = 32 };
#define OFFERED (1ull << PAGE_REPORTING | 1ull << HINTING | 1ull << VERSION_1)

enum { PAGE = 4096, MAX_COUNT = 256, MAX_RANGES = 1024, MAX_DATA = 1 << 16 };
static const uint32_t min_order = 0;
enum { NUM_PAGES_AT = 0, ACTUAL_AT = 4, MAX_COUNT_AT = 24, MIN_ORDER_AT = 28, CONFIG_SIZE = 32 };
enum { STATUS_OK = 0, STATUS_MALFORMED = 2, STATUS_UNSUPPORTED = 3 };

struct range {
    uint64_t start, length; /* in bytes */
};

struct buffer {
    const char *queue; /* inflate, deflate, stats, free_page, reporting or hinting */
    unsigned id;
    uint8_t data[MAX_DATA];           /* what the device may read: the first `size` bytes ... */
    size_t size, length;              /* ... of the `length` that there are */
    struct range writable[MAX_RANGES]; /* what it may write */
    size_t ranges;
};

static struct range ram[16];
static size_t ram_ranges;
static uint8_t config[CONFIG_SIZE];

static uint64_t load(const uint8_t *at, int size)
{
    uint64_t value = 0;
    while (size--)
        value = value << 8 | at[size];
    return value;
}

static void store(uint8_t *at, int size, uint64_t value)
{
    for (; size--; value >>= 8)
        *at++ = (uint8_t)value;
}

/* `ram` has been filled. */
static void device_create(void)
{
    memset(config, 0, sizeof config);
    store(config + MAX_COUNT_AT, 4, MAX_COUNT);
    store(config + MIN_ORDER_AT, 4, min_order);
}

/* Forget the driver: here nothing is kept but what it wrote to config space. */
static void device_reset(void)
{
    store(config + ACTUAL_AT, 4, 0);
}

/* Does the device agree to what the driver accepts? */
static bool device_accepts(uint64_t features)
{
    bool hinting = features >> HINTING & 1, version_1 = features >> VERSION_1 & 1;
    return !(features & ~OFFERED) && (version_1 || !hinting);
}

/* One field of config space belongs to the driver. */
static void device_config_write(size_t offset, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (offset + i >= ACTUAL_AT && offset + i < ACTUAL_AT + 4)
            config[offset + i] = data[i];
}

static void device_set_balloon_size(uint32_t pages)
{
    store(config + NUM_PAGES_AT, 4, pages);
    effect_config_changed();
}

static bool is_ram(uint64_t start, uint64_t length)
{
    for (size_t i = 0; i < ram_ranges; i++)
        if (start >= ram[i].start && length <= ram[i].length &&
            start - ram[i].start <= ram[i].length - length)
            return true;
    return false;
}

static void discard_whole_pages(struct range range)
{
    uint64_t first = (range.start + PAGE - 1) / PAGE * PAGE;
    uint64_t end = (range.start + range.length) / PAGE * PAGE;
    if (first < end)
        effect_discard(first, end - first);
}

static size_t acknowledge(uint8_t *answer, uint64_t cookie, uint32_t status, uint32_t processed)
{
    store(answer, 8, cookie);
    store(answer + 8, 4, status);
    store(answer + 12, 4, processed);
    return 16;
}

/* Say what is wrong with the entries of a request, or STATUS_OK. */
static uint32_t check_entries(const uint8_t *entry, uint32_t count)
{
    for (; count--; entry += 16) {
        uint64_t pfn = load(entry, 8), order = load(entry + 8, 4);
        if (order < min_order)
            return STATUS_UNSUPPORTED;
        if (load(entry + 12, 4) || order > 40 || pfn >> 52 || pfn & ((1ull << order) - 1) ||
            pfn + (1ull << order) > 1ull << 52 || !is_ram(pfn * PAGE, (uint64_t)PAGE << order))
            return STATUS_MALFORMED;
    }
    return STATUS_OK;
}

/* Answer a request on the hinting queue: validate all of it, discard, acknowledge. */
static size_t hinting(const struct buffer *b, uint8_t *answer)
{
    uint64_t room = 0;
    for (size_t i = 0; i < b->ranges; i++)
        room += b->writable[i].length;
    if (room < 16)
        return 0;
    if (b->length < 16)
        return acknowledge(answer, 0, STATUS_MALFORMED, 0);
    uint32_t type = (uint32_t)load(b->data, 2), flags = (uint32_t)load(b->data + 2, 2);
    uint32_t count = (uint32_t)load(b->data + 4, 4);
    uint64_t cookie = load(b->data + 8, 8);
    if (type != 1 || count > MAX_COUNT)
        return acknowledge(answer, cookie, STATUS_UNSUPPORTED, 0);
    if (flags || b->length != 16 + 16 * (size_t)count)
        return acknowledge(answer, cookie, STATUS_MALFORMED, 0);
    uint32_t status = check_entries(b->data + 16, count);
    if (status != STATUS_OK)
        return acknowledge(answer, cookie, status, 0);

    size_t size = acknowledge(answer, cookie, STATUS_OK, count);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *entry = b->data + 16 + 16 * i;
        effect_discard(load(entry, 8) * PAGE, (uint64_t)PAGE << load(entry + 8, 4));
        if (i % 8 == 0)
            answer[size++] = 0;
        answer[size - 1] |= (uint8_t)(1u << i % 8); /* a result bit: this block was accepted */
    }
    return size < room ? size : (size_t)room;
}

/* FILL IN: call your own device here, and say what it does with a buffer, in that order. */
static void device_buffer(const struct buffer *b)
{
    uint8_t answer[16 + MAX_COUNT / 8];
    size_t answered = 0;
    if (!strcmp(b->queue, "reporting")) { /* the buffer is the pages */
        for (size_t i = 0; i < b->ranges; i++)
            discard_whole_pages(b->writable[i]);
    } else if (!strcmp(b->queue, "hinting")) {
        answered = hinting(b, answer);
    } else if (!strcmp(b->queue, "inflate")) {
        for (size_t i = 0; i + 4 <= b->size; i += 4)
            if (is_ram(load(b->data + i, 4) * PAGE, PAGE))
                effect_discard(load(b->data + i, 4) * PAGE, PAGE);
    }
    effect_use(b->queue, b->id, answer, answered);
}

/* ------------------------------------------------------------------------------------- 3. JSON */

/* Each function takes and returns a place in a line of valid JSON; NULL is a place without value. */

static const char *blank(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* Return the place after a value. */
static const char *after(const char *at)
{
    int depth = 0;
    for (bool quoted = false; *at; at++) {
        if (quoted) {
            if (*at == '\\' && at[1])
                at++;
            else if (*at == '"')
                quoted = false;
        } else if (*at == '"') {
            quoted = true;
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if (*at == '}' || *at == ']') {
            if (--depth < 0)
                return at;
        } else if (*at == ',' && depth == 0) {
            return at;
        }
    }
    return at;
}

/* Return the first item of an array, or the first name of an object. */
static const char *first(const char *at)
{
    at = at && (*at == '[' || *at == '{') ? blank(at + 1) : NULL;
    return at && *at != ']' && *at != '}' ? at : NULL;
}

static const char *next(const char *at)
{
    at = after(at);
    return *at == ',' ? blank(at + 1) : NULL;
}

/* Return the value of a member of an object. */
static const char *member(const char *object, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = first(object); at; at = next(at))
        if (*at == '"' && !strncmp(at + 1, name, length) && at[length + 1] == '"') {
            at = blank(at + length + 2);
            return *at == ':' ? blank(at + 1) : NULL;
        }
    return NULL;
}

static uint64_t number(const char *at)
{
    return at ? strtoull(at, NULL, 10) : 0;
}

static bool is(const char *at, const char *word)
{
    size_t length = strlen(word);
    return at && *at == '"' && !strncmp(at + 1, word, length) && at[length + 1] == '"';
}

/* Decode a string of hexadecimal digits; return how many bytes fitted into `room`. */
static size_t bytes(const char *at, uint8_t *into, size_t room)
{
    size_t size = 0;
    unsigned value;
    for (at = at ? at + 1 : ""; size < room && sscanf(at, "%2x", &value) == 1; at += 2)
        into[size++] = (uint8_t)value;
    return size;
}

static size_t ranges(const char *array, struct range *into, size_t room)
{
    size_t count = 0;
    for (const char *at = first(array); at && count < room; at = next(at), count++) {
        const char *start = first(at);
        into[count].start = number(start);
        into[count].length = number(start ? next(start) : NULL);
    }
    return count;
}

/* --------------------------------------------------------------------------------- 4. protocol */

static const char *const QUEUES[] = {"inflate", "deflate", "stats", "free_page", "reporting",
                                     "hinting"};

static void step_buffer(const char *request)
{
    static struct buffer b;
    const char *queue = member(request, "queue");
    for (size_t i = 0; i < sizeof QUEUES / sizeof *QUEUES; i++)
        if (is(queue, QUEUES[i]))
            b.queue = QUEUES[i];
    b.id = (unsigned)number(member(request, "id"));
    b.size = 0;
    for (const char *at = first(member(request, "readable")); at; at = next(at))
        b.size += bytes(at, b.data + b.size, MAX_DATA - b.size);
    b.length = (size_t)number(member(request, "readable_length"));
    b.ranges = ranges(member(request, "writable"), b.writable, MAX_RANGES);
    device_buffer(&b);
}

/* Say that something is known not to be there: the case that asks for it does not apply then. */
static void skip(const char *why)
{
    printf(",\"skip\":\"%s\"", why);
}

static void step(const char *request)
{
    const char *event = member(request, "event");
    if (is(event, "features")) {
        uint64_t features = 0;
        for (const char *at = first(member(request, "features")); at; at = next(at))
            features |= 1ull << (number(at) & 63);
        printf(",\"accepted\":%s", device_accepts(features) ? "true" : "false");
        return;
    }
    if (!is(event, "buffer") && !is(event, "write_config") && !is(event, "set_balloon_size") &&
        !is(event, "driver_ok")) {
        skip("the harness does not know this event");
        return;
    }
    fputs(",\"effects\":[", stdout);
    first_effect = true;
    if (is(event, "buffer")) {
        step_buffer(request);
    } else if (is(event, "write_config")) {
        uint8_t data[CONFIG_SIZE];
        size_t size = bytes(member(request, "data"), data, sizeof data);
        device_config_write((size_t)number(member(request, "offset")), data, size);
    } else if (is(event, "set_balloon_size")) {
        device_set_balloon_size((uint32_t)number(member(request, "pages")));
    }
    fputs("]", stdout);
}

static void observe(const char *request)
{
    if (!is(member(request, "what"), "config")) {
        skip("the harness shows config space only");
        return;
    }
    uint64_t offset = number(member(request, "offset")), size = number(member(request, "length"));
    fputs(",\"data\":\"", stdout);
    for (; size-- && offset < CONFIG_SIZE; offset++)
        printf("%02x", config[offset]);
    fputs("\"", stdout);
}

/* Answer each line with a line.  Print to stderr only: standard output is for answers. */
int main(void)
{
    char *line = NULL;
    size_t room = 0;
    bool stopped = false;
    while (!stopped && getline(&line, &room, stdin) > 0) {
        const char *command = member(line, "cmd");
        printf("{\"seq\":%" PRIu64, number(member(line, "seq")));
        if (is(command, "start")) {
            printf(",%s", INTRODUCTION);
        } else if (is(command, "configure")) {
            ram_ranges = ranges(member(line, "ram"), ram, sizeof ram / sizeof *ram);
            device_create();
        } else if (is(command, "step")) {
            step(line);
        } else if (is(command, "observe")) {
            observe(line);
        } else if (is(command, "reset")) {
            device_reset();
        } else if (is(command, "stop")) {
            stopped = true;
        }
        puts("}");
        fflush(stdout);
    }
    free(line);
    return 0;
}
