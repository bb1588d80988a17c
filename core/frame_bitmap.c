/* SPDX-License-Identifier: MIT */
/*
 * The frame bitmap.
 *
 * Purpose: to know, for each 4 KiB frame of physical memory, whether it may be handed out, and to
 * find a free one in a few steps however large the memory is.
 *
 * Words: level 0 has one bit for each frame, set when the frame is used. Each higher level has one
 * bit for each word of the level below, set when that word is full. The top level is a single word,
 * so a search climbs from the hint until a word with a clear bit is found and descends again: at
 * most two words for each of at most six levels.
 *
 * A frame is used or free; nothing else. Who uses it is the caller's business (ledger, quarantine).
 *
 *   used --add_free_range, free, free_contiguous--> free
 *   free --alloc, alloc_contiguous, mark_used-----> used
 *
 * Invariants:
 * 1. Bits of level 0 at and beyond frame_count are set: they are never found.
 * 2. Bit i of level n + 1 is set exactly when word i of level n is full; bits without a word are
 * set.
 * 3. The top level has exactly one word, and each level has one bit for each word of the one below.
 * 4. free_count is the number of clear bits of level 0.
 * 5. next is below frame_count.
 *
 * Every change goes through word_store(), which keeps 2. Errors are found before the first change.
 * The loops are annotated for verify/wp/frame_bitmap.c and frame_init.c, which prove, of any number
 * of frames, that the invariants hold at first and are kept and that the operations do as they say;
 * verify/wp/frame_levels.h says what the names there mean.
 * Locks: none here; the kernel holds its frame lock around each call.
 */
#include "core/frame_bitmap.h"

#include "core/bits.h"
#include "core/checked.h"

#define WORD_BITS 64u
#define WORD_FULL UINT64_MAX
#define NO_FRAME  UINT64_MAX

static uint64_t words_for(uint64_t bits)
{
    return bits / WORD_BITS + (bits % WORD_BITS != 0);
}

uint64_t frame_bitmap_words_needed(uint64_t frame_count)
{
    uint64_t words;
    uint64_t total;

    if (frame_count == 0 || frame_count > FRAME_BITMAP_FRAMES_MAX) {
        return 0;
    }
    words = words_for(frame_count);
    total = words;
    /*@ loop invariant words: 1 <= words <= 1073741824;
        loop invariant total: words <= total <= 2147483648 - words &&
          total + above(words) == size(frame_count, 0) + above(size(frame_count, 0));
        loop assigns words, total;
        loop variant words;
     */
    while (words > 1) {
        words = words_for(words);
        total += words;
    }
    return total;
}

enum status frame_bitmap_init(struct frame_bitmap *bitmap, uint64_t *words, uint64_t word_count,
                              uint64_t frame_count)
{
    uint64_t needed = frame_bitmap_words_needed(frame_count);
    uint64_t bits = frame_count;
    uint32_t level;

    if (needed == 0) {
        return STATUS_INVALID_ARGUMENT;
    }
    if (word_count < needed) {
        return STATUS_TOO_LARGE;
    }
    /*@ loop invariant place: i <= needed;
        loop invariant full: \forall integer k; 0 <= k < i ==>
          word_at(words, k) == 18446744073709551615;
        loop invariant marked: range_marked(words, 0, 64 * i);
        loop assigns i, words[0 .. needed - 1];
        loop variant needed - i;
     */
    for (uint64_t i = 0; i < needed; i++) {
        words[i] = WORD_FULL;
    }
    *bitmap = (struct frame_bitmap){.frame_count = frame_count};
    /*@ loop invariant level: level <= 6 && (level == 0 ==> bits == frame_count);
        loop invariant bits: 1 <= bits && bits <= (level == 0 ? 68719476736 :
          level == 1 ? 1073741824 : level == 2 ? 16777216 : level == 3 ? 262144 :
          level == 4 ? 4096 : level == 5 ? 64 : 1);
        loop invariant size: 0 < level ==> bits == size(frame_count, level - 1);
        loop invariant begin:
          words == (level == 0 ? \at(words, Pre) : \at(words, Pre) + start(frame_count, level));
        loop invariant rest: needed == start(frame_count, level) +
          (level == 0 ? size(frame_count, 0) + above(size(frame_count, 0)) : above(bits));
        loop invariant first: 0 < level ==> bitmap->level[0] == \at(words, Pre);
        loop invariant levels: \forall integer l; 0 <= l < level ==>
          bitmap->level_words[l] == size(frame_count, l) &&
          bitmap->level[l] == \at(words, Pre) + start(frame_count, l);
        loop invariant sizes: \forall integer l; 0 <= l < level ==>
          1 <= size(frame_count, l) <= 1073741824;
        loop invariant thinner: \forall integer l, m; 0 <= l ==> m == l + 1 ==> m < level ==>
          size(frame_count, l) <= 64 * size(frame_count, m) < size(frame_count, l) + 64;
        loop invariant behind: \forall integer l, m; 0 <= l < m <= level ==>
          start(frame_count, l) + size(frame_count, l) <= start(frame_count, m);
        loop assigns level, bits, words, bitmap->level[0 .. 5], bitmap->level_words[0 .. 5];
        loop variant 6 - level;
     */
    for (level = 0; level == 0 || bits > 1; level++) {
        ASSERT(level < FRAME_BITMAP_LEVELS_MAX);
        bits = words_for(bits);
        bitmap->level[level] = words;
        bitmap->level_words[level] = bits;
        words += bits;
    }
    bitmap->level_count = level;
    return STATUS_OK;
}

/* ---- words (each proved of all words: verify/frame_word.c) --------------- */

static bool word_has(uint64_t word, unsigned bit)
{
    return (word >> bit & 1) != 0;
}

/* The clear bits of `word` from `from` on. */
static uint64_t word_clear_from(uint64_t word, unsigned from)
{
    return ~word & ~bits_below(from);
}

/* The bits of `mask` that are set in `word` (or clear, with `used` false). */
static uint64_t word_pick(uint64_t word, uint64_t mask, bool used)
{
    return (used ? word : ~word) & mask;
}

/* `word` with all bits of `mask` set (or clear, with `used` false). */
static uint64_t word_with(uint64_t word, uint64_t mask, bool used)
{
    return used ? word | mask : word & ~mask;
}

static uint64_t word_bit(unsigned bit)
{
    return UINT64_C(1) << bit;
}

/* The bits that differ. */
static uint64_t word_change(uint64_t old, uint64_t value)
{
    return old ^ value;
}

/* How many bits were set, or cleared, from `old` to `value`. */
static unsigned word_moved(uint64_t old, uint64_t value)
{
    return bit_count(word_change(old, value));
}

/*
 * The bits of word `index` that belong to the frames [first, end). Every range operation goes from
 * word to word with it.
 */
static uint64_t range_mask(uint64_t index, uint64_t first, uint64_t end)
{
    uint64_t base = index * WORD_BITS;
    uint64_t mask = WORD_FULL;

    ASSERT(first < end && base < end && base + WORD_BITS > first);
    if (first > base) {
        mask &= ~bits_below((unsigned)(first - base));
    }
    if (end < base + WORD_BITS) {
        mask &= bits_below((unsigned)(end - base));
    }
    return mask;
}

/* The word in which bit `number` of a level is, and its place there; and the bit at a place. */
static uint64_t word_of(uint64_t number)
{
    return number / WORD_BITS;
}

static unsigned place_of(uint64_t number)
{
    return (unsigned)(number % WORD_BITS);
}

static uint64_t number_of(uint64_t word, unsigned place)
{
    return word * WORD_BITS + place;
}

/* ---- levels ---------------------------------------------------------------------------------- */

/* Word `index` of `level`. */
static uint64_t word_get(const struct frame_bitmap *bitmap, uint32_t level, uint64_t index)
{
    ASSERT_AGAIN(index < bitmap->level_words[level]);
    return bitmap->level[level][index];
}

static void word_put(struct frame_bitmap *bitmap, uint32_t level, uint64_t index, uint64_t value)
{
    ASSERT(index < bitmap->level_words[level]);
    bitmap->level[level][index] = value;
}

/* Gives word `index` of level 0 a new value and tells the levels above what became of it. */
static void word_store(struct frame_bitmap *bitmap, uint64_t index, uint64_t value)
{
    /*@ loop invariant place: level < bitmap->level_count && index < bitmap->level_words[level];
        loop invariant begun: level == 0 ==> index == \at(index, Pre) &&
          value == \at(value, Pre);
        loop invariant stored: level > 0 ==>
          word_at(bitmap->level[0], \at(index, Pre)) == \at(value, Pre);
        loop invariant others:
          same_but{Pre, Here}(bitmap->level[0], bitmap->level_words[0], \at(index, Pre));
        loop invariant summed: summed_but(*bitmap, level, index);
        loop invariant value: level > 0 ==> sums(*bitmap, level, index, value);
        loop assigns level, index, value,
          bitmap->level[0][0 .. start(bitmap->frame_count, bitmap->level_count) - 1];
        loop variant bitmap->level_count - level;
     */
    for (uint32_t level = 0;; level++) {
        uint64_t old = word_get(bitmap, level, index);
        uint64_t bit = word_bit(place_of(index));

        word_put(bitmap, level, index, value);
        if ((old == WORD_FULL) == (value == WORD_FULL) || level + 1 == bitmap->level_count) {
            return;
        }
        index = word_of(index);
        old = word_get(bitmap, level + 1, index);
        value = word_with(old, bit, value == WORD_FULL);
    }
}

static bool frame_is_used(const struct frame_bitmap *bitmap, uint64_t frame)
{
    ASSERT(frame < bitmap->frame_count);
    return word_has(word_get(bitmap, 0, word_of(frame)), place_of(frame));
}

/* The first free frame at or after `from`, or NO_FRAME. */
static uint64_t frame_find_free(const struct frame_bitmap *bitmap, uint64_t from)
{
    uint64_t index = from;
    uint64_t clear = 0;
    uint32_t level = 0;

    /*@ loop invariant place: 0 <= level < bitmap->level_count;
        loop invariant below: \forall integer f; 0 <= f ==> index <= up(f, level) ==> from <= f;
        loop invariant clear: \forall integer f, l; is_clear(*bitmap, 0, f) ==> 0 <= l <= level ==>
          is_clear(*bitmap, l, up(f, l));
        loop invariant none: \forall integer f; from <= f ==> is_clear(*bitmap, 0, f) ==>
          index <= up(f, level);
        loop assigns index, clear, level;
        loop variant bitmap->level_count - level;
     */
    for (;;) {
        uint64_t word = word_of(index);

        if (word >= bitmap->level_words[level]) {
            return NO_FRAME;
        }
        clear = word_clear_from(word_get(bitmap, level, word), place_of(index));
        if (clear != 0) {
            index = number_of(word, bit_lowest(clear));
            break;
        }
        if (level + 1 == bitmap->level_count) {
            return NO_FRAME;
        }
        index = word + 1;
        level++;
    }
    /*@ loop invariant place: 0 <= level <= \at(level, LoopEntry);
        loop invariant clear: is_clear(*bitmap, level, index);
        loop invariant below: \forall integer f; 0 <= f ==> up(f, level + 1) == row(index) ==>
          up(f, level) == index ==> from <= f;
        loop invariant none: \forall integer f; from <= f ==> is_clear(*bitmap, 0, f) ==>
          index <= up(f, level);
        loop assigns index, clear, level;
        loop variant level;
     */
    while (level > 0) {
        level--;
        clear = word_clear_from(word_get(bitmap, level, index), 0);
        ASSERT(clear != 0); /* invariant 2 */
        index = number_of(index, bit_lowest(clear));
    }
    ASSERT(index >= from && index < bitmap->frame_count); /* invariant 1 */
    return index;
}

/* The first frame of [first, end) that is used (or is free, with `used` false), or `end`. */
static uint64_t range_find(const struct frame_bitmap *bitmap, uint64_t first, uint64_t end,
                           bool used)
{
    /*@ loop invariant place: row(first) <= word <= bitmap->level_words[0];
        loop invariant none: \forall integer f; first <= f < end ==> f < 64 * word ==>
          (marked(bitmap->level[0], f) <==> used == 0);
        loop assigns word;
        loop variant bitmap->level_words[0] - word;
     */
    for (uint64_t word = word_of(first); first < end && word * WORD_BITS < end; word++) {
        uint64_t mask = range_mask(word, first, end);
        uint64_t found = word_pick(word_get(bitmap, 0, word), mask, used);

        if (found != 0) {
            return number_of(word, bit_lowest(found));
        }
    }
    return end;
}

/* Makes the frames of word `index` whose bits are set in `mask` used or free, with the count. */
static void mask_store(struct frame_bitmap *bitmap, uint64_t index, uint64_t mask, bool used)
{
    uint64_t old = word_get(bitmap, 0, index);
    uint64_t value = word_with(old, mask, used);
    unsigned moved = word_moved(old, value);

    word_store(bitmap, index, value);
    if (used) {
        bitmap->free_count -= moved;
    } else {
        bitmap->free_count += moved;
    }
}

/* Makes all of [first, end) used or free and corrects the count. */
static void range_store(struct frame_bitmap *bitmap, uint64_t first, uint64_t end, bool used)
{
    /*@ loop invariant place: row(first) <= word <= bitmap->level_words[0];
        loop invariant kept: kept(*bitmap);
        loop invariant bits: became{Pre, Here}(*bitmap, first, until(first, word, end), used);
        loop invariant count: \at(range_is(*bitmap, first, end, 1 - used), Pre) ==>
          bitmap->free_count == \at(bitmap->free_count, Pre) +
          (used != 0 ? -1 : 1) * (until(first, word, end) - first);
        loop assigns word, bitmap->free_count,
          bitmap->level[0][0 .. start(bitmap->frame_count, bitmap->level_count) - 1];
        loop variant bitmap->level_words[0] - word;
     */
    for (uint64_t word = word_of(first); first < end && word * WORD_BITS < end; word++) {
        /*@ assert place: \forall integer i; 0 <= i < 64 ==>
              (bit(word_at(bitmap->level[0], word), i) <==>
               marked(bitmap->level[0], 64 * word + i)); */
        mask_store(bitmap, word, range_mask(word, first, end), used);
    }
    ASSERT(bitmap->free_count <= bitmap->frame_count);
}

enum status frame_bitmap_add_free_range(struct frame_bitmap *bitmap, uint64_t first, uint64_t count)
{
    if (!range_fits(first, count, bitmap->frame_count)) {
        return STATUS_OUT_OF_RANGE;
    }
    if (range_find(bitmap, first, first + count, false) != first + count) {
        return STATUS_NOT_ALLOCATED;
    }
    range_store(bitmap, first, first + count, false);
    return STATUS_OK;
}

enum status frame_bitmap_mark_used(struct frame_bitmap *bitmap, uint64_t first, uint64_t count)
{
    if (!range_fits(first, count, bitmap->frame_count)) {
        return STATUS_OUT_OF_RANGE;
    }
    range_store(bitmap, first, first + count, true);
    return STATUS_OK;
}

/* The next search begins behind the run that ends at `end`. */
static void hint_set(struct frame_bitmap *bitmap, uint64_t end)
{
    ASSERT(end <= bitmap->frame_count);
    bitmap->next = end < bitmap->frame_count ? end : 0;
}

enum status frame_bitmap_alloc(struct frame_bitmap *bitmap, uint64_t *frame)
{
    uint64_t found = frame_find_free(bitmap, bitmap->next);

    if (found == NO_FRAME) {
        found = frame_find_free(bitmap, 0);
    }
    if (found == NO_FRAME) {
        ASSERT(bitmap->free_count == 0); /* invariant 4 */
        return STATUS_NO_MEMORY;
    }
    range_store(bitmap, found, found + 1, true);
    hint_set(bitmap, found + 1);
    *frame = found;
    return STATUS_OK;
}

enum status frame_bitmap_alloc_contiguous(struct frame_bitmap *bitmap,
                                          const struct frame_run_request *request, uint64_t *first)
{
    uint64_t align = request->align == 0 ? 1 : request->align;
    uint64_t end = bitmap->frame_count;
    uint64_t candidate = request->start;
    uint64_t tries = 0;

    if (request->count == 0 || !is_power_of_two(align)) {
        return STATUS_INVALID_ARGUMENT;
    }
    if (request->end != 0 && request->end < end) {
        end = request->end;
    }
    /*@ loop invariant place: request->start <= candidate;
        loop invariant none: no_run(*bitmap, *request, candidate);
        loop assigns candidate, tries;
        loop variant end - candidate;
     */
    for (;;) {
        uint64_t used;

        candidate = candidate < end ? frame_find_free(bitmap, candidate) : NO_FRAME;
        if (!checked_align_up(candidate, align, &candidate) ||
            !range_fits(candidate, request->count, end)) {
            return STATUS_NO_MEMORY;
        }
        if (request->tries_max != 0 && tries == request->tries_max) {
            *first = candidate;
            return STATUS_BUSY;
        }
        used = range_find(bitmap, candidate, candidate + request->count, true);
        if (used == candidate + request->count) {
            break;
        }
        candidate = used + 1;
        tries++;
    }
    ASSERT(request->count <= bitmap->free_count); /* invariant 4 */
    range_store(bitmap, candidate, candidate + request->count, true);
    *first = candidate;
    return STATUS_OK;
}

enum status frame_bitmap_free(struct frame_bitmap *bitmap, uint64_t frame)
{
    return frame_bitmap_free_contiguous(bitmap, frame, 1);
}

enum status frame_bitmap_free_contiguous(struct frame_bitmap *bitmap, uint64_t first,
                                         uint64_t count)
{
    return frame_bitmap_add_free_range(bitmap, first, count);
}

bool frame_bitmap_is_free(const struct frame_bitmap *bitmap, uint64_t frame)
{
    return frame < bitmap->frame_count && !frame_is_used(bitmap, frame);
}

/* Invariant 2 for the words of `level`, which is not the top. */
static bool summary_holds(const struct frame_bitmap *bitmap, uint32_t level)
{
    const uint64_t *summary = bitmap->level[level + 1];
    uint64_t bits = bitmap->level_words[level + 1] * WORD_BITS;

    for (uint64_t i = 0; i < bits; i++) {
        bool full = i >= bitmap->level_words[level] || bitmap->level[level][i] == WORD_FULL;

        if ((summary[i / WORD_BITS] >> i % WORD_BITS & 1) != full) {
            return false;
        }
    }
    return true;
}

unsigned frame_bitmap_check(const struct frame_bitmap *bitmap)
{
    uint64_t bits = bitmap->frame_count;
    uint64_t tail = bitmap->frame_count % WORD_BITS;
    uint64_t free_count = 0;

    if (bitmap->level_count == 0 || bitmap->level_count > FRAME_BITMAP_LEVELS_MAX) {
        return 3;
    }
    for (uint32_t level = 0; level < bitmap->level_count; level++) {
        bits = words_for(bits);
        if (bitmap->level_words[level] != bits) {
            return 3;
        }
    }
    if (bits != 1) {
        return 3;
    }
    if (tail != 0 && bitmap->level[0][bitmap->level_words[0] - 1] >> tail != WORD_FULL >> tail) {
        return 1;
    }
    for (uint32_t level = 0; level + 1 < bitmap->level_count; level++) {
        if (!summary_holds(bitmap, level)) {
            return 2;
        }
    }
    for (uint64_t word = 0; word < bitmap->level_words[0]; word++) {
        free_count += bit_count(~bitmap->level[0][word]);
    }
    if (free_count != bitmap->free_count) {
        return 4;
    }
    return bitmap->next < bitmap->frame_count ? 0 : 5;
}
