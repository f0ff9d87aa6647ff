package org.edge_asr.demo.benchmark

/** One quantity of all settings, as it is shown. Without [rows] it was not measured, and [notes] tell why. */
data class Comparison(val quantity: String, val unit: String, val rows: List<Row>, val notes: List<String>) {
    data class Row(
        val setting: String,
        /** Null: not measured. */
        val figure: String?,
        /** Of the highest of all rows, 0 to 1. */
        val share: Double,
    )
}
