package org.edge_asr.demo.live

import android.content.Context

/** What the person chose, kept over restarts. */
class Choices(context: Context) {
    private val kept = context.getSharedPreferences("choices", Context.MODE_PRIVATE)

    /** Null where the model's own was never changed. */
    var threshold: Float?
        get() = if (kept.contains(THRESHOLD)) kept.getFloat(THRESHOLD, 1f) else null
        set(value) = if (value == null) kept.edit().remove(THRESHOLD).apply() else kept.edit().putFloat(THRESHOLD, value).apply()

    var maySave: Boolean
        get() = kept.getBoolean(MAY_SAVE, true)
        set(value) = kept.edit().putBoolean(MAY_SAVE, value).apply()

    private companion object {
        const val THRESHOLD = "threshold"
        const val MAY_SAVE = "may_save"
    }
}
