#include "program.h"

#include <malloc.h>

#include <algorithm>
#include <string>
#include <utility>

#include "failure.h"

namespace edge_asr {
namespace {

using executorch::aten::ScalarType;

enum StepInput : std::size_t { kPcm, kFrames, kThreshold, kFlush, kReset };
enum StepOutput : std::size_t { kPartial, kKeep, kFinal, kIndex, kWaiting };

bool step_follows(const LoadedMethod& step, const Metadata& metadata) {
  const std::int32_t frames = metadata.chunk_frames;
  const std::int32_t block = metadata.block_frames();
  const std::int32_t vocabulary = metadata.vocabulary();
  const std::vector<TensorShape> inputs{{ScalarType::Float, {1, metadata.chunk_samples}},
                                        {ScalarType::Long, {1}},
                                        {ScalarType::Float, {1}},
                                        {ScalarType::Long, {1}},
                                        {ScalarType::Long, {1}}};
  const std::vector<TensorShape> outputs{{ScalarType::Float, {frames, vocabulary}},
                                         {ScalarType::Float, {frames}},
                                         {ScalarType::Float, {block, vocabulary}},
                                         {ScalarType::Long, {block}},
                                         {ScalarType::Long, {1}}};
  return step.has_signature(inputs, outputs);
}

template <typename T>
const T* output(const LoadedMethod& step, StepOutput index, std::size_t expected) {
  const auto values = step.output<T>(index);
  if (values.count != expected) throw failed("an output changed its shape");
  return values.first;
}

}  // namespace

std::unique_ptr<Program> Program::load(const std::shared_ptr<const Model>& model) {
  model->require_unchanged();
  std::unique_ptr<Program> program;
  try {
    program = std::make_unique<Program>(model);
  } catch (const Failure& failure) {
    throw cannot_load(model->path(), failure);
  }
  if (!step_follows(program->step_, model->metadata())) {
    throw bad_file(model->path() + ": its step method does not follow its metadata: export it again");
  }
#ifdef __GLIBC__
  ::malloc_trim(0);  // what loading and packing have freed: the first steps touch new memory, and the peak is there
#endif
  return program;
}

Program::Program(std::shared_ptr<const Model> model)
    : model_(std::move(model)),
      memory_(model_->planned_sizes()),
      step_(model_->program(), kStepMethod, memory_, weight_cache_.mine()) {}

edge_asr_step Program::step(const float* pcm, std::int32_t frames, float threshold, bool flush) {
  const Metadata& metadata = model_->metadata();
  if (frames < 0 || frames > metadata.chunk_frames) {
    throw bad_argument("frames of a step must lie between 0 and " + std::to_string(metadata.chunk_frames) + ", not " +
                       std::to_string(frames));
  }
  const float checked = checked_threshold(threshold, metadata);
  try {
    step_.set_input(kPcm, pcm, static_cast<std::size_t>(metadata.chunk_samples), /*as_row=*/true);
    step_.set_input(kFrames, std::int64_t{frames});
    step_.set_input(kThreshold, checked);
    step_.set_input(kFlush, std::int64_t{flush});
    step_.set_input(kReset, std::int64_t{starts_});
    step_.execute();
    starts_ = false;
    const auto chunk = static_cast<std::size_t>(metadata.chunk_frames);
    const auto block = static_cast<std::size_t>(metadata.block_frames());
    const auto vocabulary = static_cast<std::size_t>(metadata.vocabulary());
    edge_asr_step result{};
    result.partial = output<float>(step_, kPartial, chunk * vocabulary);
    result.keep = output<float>(step_, kKeep, chunk);
    result.final = output<float>(step_, kFinal, block * vocabulary);
    result.index = output<std::int64_t>(step_, kIndex, block);
    result.waiting = *output<std::int64_t>(step_, kWaiting, 1);
    const auto is_row = [](std::int64_t frame) { return frame >= 0; };  // those that were computed come first
    result.rows = static_cast<std::int32_t>(std::count_if(result.index, result.index + block, is_row));
    return result;
  } catch (const Failure& failure) {
    throw Failure(failure.status(), std::string("the model failed in a step (") + failure.what() + "): export it again");
  }
}

float checked_threshold(float threshold, const Metadata& metadata) {
  if (threshold == EDGE_ASR_DEFAULT_THRESHOLD) return metadata.default_threshold;
  if (threshold >= 0.0F && threshold <= 1.0F) return threshold;
  throw bad_argument("threshold must lie between 0 and 1, not " + std::to_string(threshold));
}

}  // namespace edge_asr
