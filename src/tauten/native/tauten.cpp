// Tauten's native engine for CPUs: the built-in network, trained one member per thread, many steps a visit, so that a
// member's weights and its optimizer's state stay in the core's cache. A plain C interface, loaded by ctypes.
//
//     vector.h    one vector of floats, elementary functions
//     draws.h     Philox, and what is drawn from it
//     products.h  register-tiled matrix products
//     member.h    a member: its plan, layout, weights
//     forward.h   backward.h   the two passes, batch norm, dropout, the optimizer
//     losses.h    losses and their gradients
//     step.h      one training step; evaluation

#include <atomic>
#include <chrono>

#include "step.h"

#define TAUTEN_EXPORT extern "C" __attribute__((visibility("default")))

using namespace tauten;

namespace {

// Kept from call to call: fresh pages cost milliseconds.
thread_local Space space;

// The parts of every layer in order, at their logical shapes: `f(weights at, rows, columns, next)`.
template <class F>
void each_part(const Layout& layout, F f) {
    for (const Layer& layer : layout.layers) {
        f(layer.weight, layer.in, layer.out, layer.next);
        for (int64_t at : {layer.bias, layer.scale, layer.shift, layer.mean, layer.variance})
            if (at >= 0) f(at, 1, layer.out, (int64_t)0);
    }
}

template <class F>
double peak(double seconds, F multiply_add) {
    V acc[ROWS][VECTORS] = {};
    const auto begin = std::chrono::steady_clock::now();
    double flops = 0, passed = 0;
    while (passed < seconds) {
        for (int i = 0; i < 20000; i++)
#pragma GCC unroll 6
            for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 4
                for (int v = 0; v < VECTORS; v++) acc[r][v] = multiply_add(acc[r][v]);
        flops += 2.0 * 20000 * ROWS * VECTORS * LANES;
        passed = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    }
    V total{};
    for (auto& row : acc)
        for (const V& v : row) total += v;
    volatile float used = sum(total);
    (void)used;
    return flops / passed * 1e-9;
}

}  // namespace

struct tauten_job {
    Member* member;
    const tauten_data* data;
    int64_t steps;
    int64_t last;         // forget the member's weights afterwards
    double loss;          // out: mean over the steps
    const int64_t* rows;  // to evaluate after them, or null
    int64_t n;
    float* out;  // (n, outputs)
};

struct tauten_queue {
    tauten_job* jobs;
    int64_t size;
    int64_t next;  // the first job that nobody has taken
    int64_t done;  // gradient evaluations so far
    int64_t stop;  // set to 1: finish the steps at hand and return
};

TAUTEN_EXPORT int64_t tauten_abi() { return 3; }
TAUTEN_EXPORT int64_t tauten_lanes() { return LANES; }

// Whether products can be taken in bfloat16.
TAUTEN_EXPORT int64_t tauten_bf16() { return TAUTEN_BF16; }

// "type name;" for every field of a plan, in order.
TAUTEN_EXPORT const char* tauten_plan_fields() {
#define FIELD(type, name) #type " " #name ";"
    return TAUTEN_PLAN(FIELD);
#undef FIELD
}

TAUTEN_EXPORT Member* tauten_new(const tauten_plan* plan) {
    try {
        return new Member(*plan);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

TAUTEN_EXPORT void tauten_free(Member* member) { delete member; }

// Floats of `tauten_read` and `tauten_write`.
TAUTEN_EXPORT int64_t tauten_size(const Member* member) {
    int64_t total = 0;
    each_part(member->layout, [&](int64_t, int64_t rows, int64_t columns, int64_t) { total += rows * columns; });
    return total;
}

// The delivered weights and running averages, or the present ones.
TAUTEN_EXPORT void tauten_read(Member* member, int64_t delivered, float* to) {
    member->start();
    const float* w = delivered ? member->delivered() : member->w.data();
    each_part(member->layout, [&](int64_t at, int64_t rows, int64_t columns, int64_t next) {
        for (int64_t i = 0; i < rows; i++, to += columns) std::memcpy(to, w + at + i * next, columns * sizeof(float));
    });
}

TAUTEN_EXPORT void tauten_write(Member* member, const float* from) {
    member->start();
    float* w = member->w.data();
    each_part(member->layout, [&](int64_t at, int64_t rows, int64_t columns, int64_t next) {
        for (int64_t i = 0; i < rows; i++, from += columns) std::memcpy(w + at + i * next, from, columns * sizeof(float));
    });
    member->begin_average();
}

// Takes jobs until none is left; any number of threads may work on one queue.
TAUTEN_EXPORT int64_t tauten_work(tauten_queue* queue) try {
    const In other(OTHER);
    for (;;) {
        const int64_t i = __atomic_fetch_add(&queue->next, 1, __ATOMIC_RELAXED);
        if (i >= queue->size || __atomic_load_n(&queue->stop, __ATOMIC_RELAXED)) return 0;
        tauten_job& job = queue->jobs[i];
        job.member->start();
        if (job.steps > 0) {
            Step step(*job.member, *job.data, space);
            double total = 0;
            for (int64_t t = 0; t < job.steps && !__atomic_load_n(&queue->stop, __ATOMIC_RELAXED); t++) {
                total += step.run();
                __atomic_fetch_add(&queue->done, job.member->plan.sam > 0 ? 2 : 1, __ATOMIC_RELAXED);
            }
            job.loss = total / (double)job.steps;
        }
        if (job.rows) evaluate(*job.member, *job.data, space, job.rows, job.n, job.out);
        if (job.last) job.member->forget();
    }
} catch (const std::bad_alloc&) {
    return 1;
}

// Philox blocks (rows, blocks, 4) of a place.
TAUTEN_EXPORT void tauten_words(uint64_t seed, uint32_t step, uint32_t site, int64_t rows, int64_t blocks, uint32_t* out) {
    const Place place{{(uint32_t)seed, (uint32_t)(seed >> 32)}, step, site};
    for (int64_t row = 0; row < rows; row++)
        for (int64_t begin = 0; begin < blocks; begin += LANES) {
            const Block drawn = place.along((uint32_t)begin, (uint32_t)row);
            for (int64_t lane = 0; lane < LANES && begin + lane < blocks; lane++)
                for (int word = 0; word < 4; word++) out[(row * blocks + begin + lane) * 4 + word] = drawn.word[word][lane];
        }
}

// The same for a stack of members, (members, blocks, 4, rows): a word of one block for all rows lies together.
TAUTEN_EXPORT void tauten_fill(
    const int64_t* seed, const int64_t* step, uint32_t site, int64_t members, int64_t rows, int64_t blocks, uint32_t* out
) {
    for (int64_t m = 0; m < members; m++) {
        const Place place{{(uint32_t)seed[m], (uint32_t)(seed[m] >> 32)}, (uint32_t)step[m], site};
        for (int64_t block = 0; block < blocks; block++, out += 4 * rows)
            for (int64_t row = 0; row < rows; row += LANES) {
                const Block drawn = place.block((uint32_t)block, (uint32_t)row);
                const size_t bytes = sizeof(uint32_t) * std::min<int64_t>(LANES, rows - row);
                for (int word = 0; word < 4; word++) std::memcpy(out + word * rows + row, &drawn.word[word], bytes);
            }
    }
}

// Whether each element of a row is drawn, (members, rows, size) bytes: where its 16 bits are less than the threshold.
TAUTEN_EXPORT void tauten_bernoulli(
    const int64_t* seed, const int64_t* step, uint32_t site, const int32_t* threshold, int64_t members, int64_t rows,
    int64_t size, uint8_t* out
) {
    constexpr int64_t EACH = 8;
    for (int64_t m = 0; m < members; m++) {
        const Place place{{(uint32_t)seed[m], (uint32_t)(seed[m] >> 32)}, (uint32_t)step[m], site};
        const I limit = (I)splat((uint32_t)threshold[m]);
        const auto below = [&](U word) {
            return ((U)((I)(word & 0xFFFFu) < limit) & 1u) | ((U)((I)(word >> 16) < limit) & 0x100u);
        };
        for (int64_t row = 0; row < rows; row++, out += size)
            for (int64_t block = 0; block * EACH < size; block += LANES) {
                const Block drawn = place.along((uint32_t)block, (uint32_t)row);
                const U first = below(drawn.word[0]) | below(drawn.word[1]) << 16;
                const U second = below(drawn.word[2]) | below(drawn.word[3]) << 16;
                uint32_t bytes[2 * LANES];
                for (int lane = 0; lane < LANES; lane++) bytes[2 * lane] = first[lane], bytes[2 * lane + 1] = second[lane];
                std::memcpy(out + block * EACH, bytes, std::min<int64_t>(sizeof bytes, size - block * EACH));
            }
    }
}

#ifdef TAUTEN_PROFILE
// Ticks of this thread since the last call: outside of the library, other, products, optimizer, draws, normalization.
TAUTEN_EXPORT void tauten_profile(int64_t* spent) {
    ticking.enter(ticking.part);
    for (int i = 0; i < PARTS; i++) spent[i] = std::exchange(ticking.spent[i], 0);
}
#endif

// GFLOP/s of this core over independent multiply-adds: what any product is measured against.
TAUTEN_EXPORT double tauten_peak(double seconds, int bf16) {
    volatile uint32_t source = 0;
    const uint32_t zero = source;
#if TAUTEN_BF16
    if (bf16) return 2 * peak(seconds, [zero](V c) { return pair_fma(splat(zero), splat(zero), c); });
#endif
    return bf16 ? 0.0 : peak(seconds, [zero](V c) { return fma(splat((float)zero), splat((float)zero), c); });
}
