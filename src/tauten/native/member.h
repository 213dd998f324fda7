// A member: its plan, where its parameters lie in memory, and its state.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "draws.h"
#include "products.h"

extern "C" {

typedef const float* floats;
typedef const uint32_t* words;

// What a member is. Python reads these names and types from the library, so they stand here only. A technique that is off
// stands at 0; what a technique calls its numbers and the places of its draws is in its own file, under `kernel`.
#define TAUTEN_PLAN(FIELD)                                                                                       \
    FIELD(int64_t, inputs) FIELD(int64_t, outputs) FIELD(int64_t, width) FIELD(int64_t, depth) FIELD(int64_t, batch) \
    FIELD(int64_t, activation) FIELD(int64_t, skip) FIELD(int64_t, loss) FIELD(int64_t, adam)                      \
    FIELD(int64_t, schedule) FIELD(int64_t, bf16) FIELD(int64_t, length) FIELD(uint64_t, seed) FIELD(double, learning_rate)              \
    FIELD(float, momentum) FIELD(uint32_t, order_site) FIELD(words, weight_sites) FIELD(words, bias_sites)        \
    FIELD(floats, dropout) FIELD(words, dropout_sites) FIELD(float, dropout_classic) FIELD(float, batch_norm)     \
    FIELD(float, input_noise) FIELD(uint32_t, noise_site) FIELD(floats, class_weights)                            \
    FIELD(float, label_smoothing) FIELD(float, label_smoothing_others) FIELD(float, mixup)                        \
    FIELD(uint32_t, partner_site) FIELD(uint32_t, a_normal_site) FIELD(uint32_t, a_accept_site)                   \
    FIELD(uint32_t, a_boost_site) FIELD(uint32_t, b_normal_site) FIELD(uint32_t, b_accept_site)                   \
    FIELD(uint32_t, b_boost_site) FIELD(float, l1) FIELD(float, l2) FIELD(float, weight_decay) FIELD(float, ema)  \
    FIELD(float, max_norm) FIELD(float, clip_norm) FIELD(float, sam)

struct tauten_plan {
#define FIELD(type, name) type name;
    TAUTEN_PLAN(FIELD)
#undef FIELD
};

// What it trains on: rows of row-major matrices; weights are factors of the rows' losses, null for 1.
struct tauten_data {
    const float *inputs, *targets, *weights;
    const int64_t* rows;
    int64_t n;
};
}

namespace tauten {

// Memory that begins at a cache line.
template <class T>
class Memory {
   public:
    explicit Memory(int64_t size = 0) : size_(size), data_(size ? allocate(size) : nullptr) {}
    T* data() const { return data_.get(); }
    int64_t size() const { return size_; }

   private:
    struct Free {
        void operator()(T* p) const { std::free(p); }
    };
    static T* allocate(int64_t size) {
        const size_t bytes = (size * sizeof(T) + 63) / 64 * 64;
        void* p = std::aligned_alloc(64, bytes);
        if (!p) throw std::bad_alloc();
        std::memset(p, 0, bytes);
        return static_cast<T*>(p);
    }
    int64_t size_;
    std::unique_ptr<T, Free> data_;
};

// Floats from row to row: rows a multiple of 256 bytes apart would fall into few sets of the cache.
inline int64_t spaced(int64_t next) { return next % 64 ? next : next + PAD; }

// One linear map and what goes with it, as offsets into a member's memory.
struct Layer {
    int in, out;
    int64_t next;  // floats from one row of the weights (fan_in, fan_out) to the next
    int64_t weight, bias;  // bias: absent (-1) under batch norm
    int64_t scale, shift, mean, variance;  // of batch norm, or -1

    int64_t weights() const { return in * next; }
};

struct Layout {
    std::vector<Layer> layers;  // hidden ones, then the output
    int64_t parameters = 0, total = 0;  // floats; the running averages of batch norm lie behind the parameters

    explicit Layout(const tauten_plan& plan) {
        for (int64_t i = 0; i <= plan.depth; i++) {
            const bool last = i == plan.depth, norm = plan.batch_norm > 0 && !last;
            Layer layer{(int)(i ? plan.width : plan.inputs), (int)(last ? plan.outputs : plan.width), 0, 0, -1, -1, -1, -1, -1};
            layer.next = spaced(padded(layer.out));
            layer.weight = take(parameters, layer.weights());
            if (norm) {
                layer.scale = take(parameters, padded(layer.out));
                layer.shift = take(parameters, padded(layer.out));
            } else {
                layer.bias = take(parameters, padded(layer.out));
            }
            layers.push_back(layer);
        }
        total = parameters;
        for (Layer& layer : layers)
            if (layer.scale >= 0) {
                layer.mean = take(total, padded(layer.out));
                layer.variance = take(total, padded(layer.out));
            }
    }

    int64_t hidden() const { return (int64_t)layers.size() - 1; }

   private:
    static int64_t take(int64_t& end, int64_t size) {
        const int64_t begin = end;
        end += size;
        return begin;
    }
};

struct Member {
    tauten_plan plan;
    std::vector<float> dropout, class_weights;
    std::vector<uint32_t> dropout_sites, weight_sites, bias_sites;
    Layout layout;
    Memory<float> w, mean, square, average;  // `mean` is sgd's velocity too; `average` is EMA's
    int64_t step = 0;
    std::vector<uint32_t> order, spare;  // of rows, in this lap
    int64_t lap = -1;

    // The plan's arrays are copied: they live no longer than this call.
    explicit Member(const tauten_plan& p)
        : plan(p),
          dropout(copied(p.dropout, p.depth, true)),
          class_weights(copied(p.class_weights, p.outputs, false)),
          dropout_sites(copied(p.dropout_sites, p.depth, true)),
          weight_sites(copied(p.weight_sites, p.depth + 1, true)),
          bias_sites(copied(p.bias_sites, p.depth + 1, true)),
          layout(p) {}

    // Memory and first weights, at first use: on the thread that trains it, and only while it is needed.
    void start() {
        if (w.size()) return;
        w = Memory<float>(layout.total);
        mean = Memory<float>(layout.parameters);
        square = Memory<float>(plan.adam ? layout.parameters : 0);
        average = Memory<float>(plan.ema > 0 ? layout.total : 0);
        first_weights();
        begin_average();
    }

    void forget() {
        for (Memory<float>* memory : {&w, &mean, &square, &average}) *memory = Memory<float>();
    }

    Key key() const { return {(uint32_t)plan.seed, (uint32_t)(plan.seed >> 32)}; }
    Place place(uint32_t site) const { return {key(), (uint32_t)step, site}; }

    // Dropout of a hidden layer: a unit whose 16 bits are below the threshold is dropped, the others are scaled.
    int threshold(int layer) const { return (int)std::nearbyint((double)dropout[layer] * 65536); }
    float keep(int layer, bool training) const {
        if (plan.dropout_classic) return training ? 1.0f : 1 - dropout[layer];
        return training ? 1 / (1 - dropout[layer]) : 1.0f;
    }

    const float* delivered() const { return plan.ema > 0 ? average.data() : w.data(); }

    // The averages begin as the weights, so weights given from outside are followed by this.
    void begin_average() {
        if (plan.ema > 0) std::memcpy(average.data(), w.data(), layout.total * sizeof(float));
    }

   private:
    template <class T>
    static std::vector<T> copied(const T* from, int64_t n, bool needed) {
        return from ? std::vector<T>(from, from + n) : std::vector<T>(needed ? n : 0);
    }

    // As torch.nn.Linear: uniform within +-1 / sqrt(fan_in).
    void first_weights() {
        for (size_t i = 0; i < layout.layers.size(); i++) {
            const Layer& layer = layout.layers[i];
            const float bound = (float)std::sqrt((double)layer.in);
            const Place weight{key(), 0, weight_sites[i]}, bias{key(), 0, bias_sites[i]};
            for (int row = 0; row < layer.in; row++)
                for (int j = 0; j < layer.out; j += 4 * LANES) {
                    const Block drawn = weight.along(j / 4, row);
                    for (int e = 0; e < 4 * LANES && j + e < layer.out; e++)
                        at(layer.weight + row * layer.next + j + e) = spread(drawn.word[e % 4][e / 4], bound);
                }
            for (int j = 0; layer.bias >= 0 && j < layer.out; j++)
                at(layer.bias + j) = spread(bias.along(0, j).word[0][0], bound);
            for (int j = 0; layer.scale >= 0 && j < layer.out; j++) at(layer.scale + j) = at(layer.variance + j) = 1;
        }
    }

    float& at(int64_t i) { return w.data()[i]; }
    static float spread(uint32_t word, float bound) { return ((word >> 8) * 0x1p-24f * 2 - 1) / bound; }
};

}  // namespace tauten
