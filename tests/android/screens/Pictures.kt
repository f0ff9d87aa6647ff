package org.edge_asr.screens

import android.content.Context
import android.content.res.Resources
import android.graphics.Canvas
import android.os.SystemClock
import android.text.Layout
import android.text.SpannableStringBuilder
import android.util.DisplayMetrics
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.ScrollView
import android.widget.SeekBar
import android.widget.Switch
import android.widget.TextView
import java.awt.image.BufferedImage
import java.io.File
import java.util.Locale
import javax.imageio.ImageIO
import org.edge_asr.core.live.Notice
import org.edge_asr.core.live.Phase
import org.edge_asr.core.live.ScreenState
import org.edge_asr.core.live.Situation
import org.edge_asr.core.measure.LivePower
import org.edge_asr.core.policy.SavingReason
import org.edge_asr.core.strip.GateStrip
import org.edge_asr.demo.screen.BenchmarkScreen
import org.edge_asr.demo.screen.GateStripView
import org.edge_asr.demo.screen.Screen
import org.edge_asr.demo.screen.ShareBar
import org.json.JSONArray
import org.json.JSONObject

/**
 * Draws the app's screen into PNGs: its own layouts, strings, colours, `Screen` and views, over the stand-ins of the `android` folder.
 * Arguments: the `res` folder, a JSON file with the pictures to draw, the folder for them. Prints, for each, what a test asks of it.
 */
fun main(arguments: Array<String>) {
    Locale.setDefault(Locale.UK)
    val (res, wanted, out) = arguments.map(::File)
    val pictures = JSONArray(wanted.readText())
    for (at in 0 until pictures.length()) println(Picture(res, pictures.getJSONObject(at)).draw(out))
}

private class Picture(res: File, private val wanted: JSONObject) {
    private val density = 2f
    private val fontScale = wanted.optDouble("font_scale", 1.0).toFloat()
    private val landscape = wanted.optBoolean("landscape")
    private val qualifiers = listOfNotNull("night".takeIf { wanted.optBoolean("night") }, "land".takeIf { landscape })
    private val resources = Resources(res, "org.edge_asr.demo.R", qualifiers, DisplayMetrics(density, density * fontScale))
    private val width = (wanted.getInt("width_dp") * density).toInt()
    private val height = (wanted.getInt("height_dp") * density).toInt()

    fun draw(out: File): JSONObject {
        val benchmark = wanted.optJSONObject("benchmark")
        val root = LayoutInflater(Context(resources)).inflate(if (benchmark == null) "layout/main" else "layout/benchmark")
        val bars = (BAR_DP * density).toInt()
        if (landscape) root.setPadding(bars, 0, 0, bars) else root.setPadding(0, bars, 0, bars)
        if (benchmark == null) listen(root) else showBenchmark(BenchmarkScreen(root), benchmark)
        root.measure(exactly(width), exactly(height))
        root.layout(0, 0, width, height)
        val picture = BufferedImage(width, height, BufferedImage.TYPE_INT_RGB)
        root.draw(Canvas(picture.createGraphics()))
        ImageIO.write(picture, "png", File(out, "${wanted.getString("name")}.png"))
        return told(root)
    }

    private fun listen(root: View) {
        val screen = Screen(root, Nothing, still = wanted.optBoolean("still", true))
        screen.show(state(wanted.getJSONObject("state")))
        wanted.optJSONObject("then")?.let { // some time later
            SystemClock.nowMs += it.getLong("after_ms")
            screen.show(state(it.getJSONObject("state")))
            SystemClock.nowMs += it.getLong("drawn_after_ms")
        }
    }

    private fun exactly(size: Int) = View.MeasureSpec.makeMeasureSpec(size, View.MeasureSpec.EXACTLY)

    private fun state(from: JSONObject): ScreenState {
        val default = ScreenState()
        val bits = from.optString("keep", "")
        val threshold = from.optDouble("threshold", 0.7).toFloat()
        val notice = from.optString("notice", "").takeIf { it.isNotEmpty() }?.let(Notice::valueOf)
        return default.copy(
            situation = Situation(Phase.valueOf(from.getString("phase")), notice, from.optString("detail", "").takeIf { it.isNotEmpty() }),
            earlierText = from.optString("earlier", ""),
            finalText = from.optString("final", ""),
            partialText = from.optString("partial", ""),
            strip = GateStrip(ScreenState.STRIP_FRAMES) + BooleanArray(bits.length) { bits[it] == '1' },
            keptRatio = from.number("kept_ratio"),
            realTimeFactor = from.number("rtf"),
            latencyMs = from.number("latency_ms"),
            power = from.number("power_mw")?.let { LivePower.Measured(it, "battery") }
                ?: if (from.optBoolean("charging")) LivePower.Charging else LivePower.NotTold,
            temperatureC = from.number("temperature_c"),
            threshold = threshold,
            thresholdInForce = from.optDouble("threshold_in_force", threshold.toDouble()).toFloat(),
            defaultThreshold = from.number("default_threshold")?.toFloat(),
            maySave = from.optBoolean("may_save", true),
            saving = from.optString("saving", "").takeIf { it.isNotEmpty() }?.let(SavingReason::valueOf),
            lostS = from.optDouble("lost_s", 0.0),
            silent = from.optBoolean("silent"),
        )
    }

    private fun JSONObject.number(name: String): Double? = if (isNull(name)) null else getDouble(name)

    /** What the picture holds, for those who cannot see it. Sizes in dp. */
    private fun told(root: View): JSONObject {
        val seen = mutableListOf<View>()
        fun walk(view: View) {
            if (view.visibility == View.GONE) return
            seen += view
            (view as? ViewGroup)?.children?.forEach(::walk)
        }
        walk(root)
        val texts = JSONArray()
        val targets = JSONArray()
        for (view in seen) {
            if (view is TextView) texts.put(textOf(view))
            if (view is Button || view is SeekBar || view is Switch) targets.put(targetOf(view))
        }
        return JSONObject().put("name", wanted.getString("name")).put("texts", texts).put("targets", targets)
            .put("described", JSONArray(seen.mapNotNull { it.contentDescription?.toString() }))
            .put("strip", seen.filterIsInstance<GateStripView>().singleOrNull()?.let(::stripOf) ?: JSONObject.NULL)
            .put("shares", JSONArray(seen.filterIsInstance<ShareBar>().map(::shareOf)))
            .put("surface_rgb", rgb(resources.color("@color/surface")))
            .put("hidden_dp", seen.filterIsInstance<ScrollView>().maxOf { it.hidden() } / density.toDouble())
    }

    /** Where to look for frames, in pixels of the picture. */
    private fun stripOf(strip: GateStripView): JSONObject {
        val (left, top) = placeOf(strip)
        val bottom = top + GateStripView.BARS_DP * density
        return JSONObject().put("left", left).put("width", strip.width)
            .put("pitch", (GateStripView.PITCH_DP * density).toDouble()).put("bar", (GateStripView.BAR_DP * density).toDouble())
            .put("high", (bottom - GateStripView.BARS_DP * density / 2).toInt())
            .put("low", (bottom - GateStripView.DASH_DP * density * 3 / 4).toInt())
            .put("kept_rgb", rgb(resources.color("@color/kept"))).put("skipped_rgb", rgb(resources.color("@color/skipped")))
    }

    private fun placeOf(view: View): Pair<Int, Int> {
        var left = 0
        var top = 0
        var at = view
        while (true) {
            left += at.left
            top += at.top
            at = at.parentOrNull() ?: return left to top
        }
    }

    /** Where to look for a bar of the benchmark, in pixels of the picture. */
    private fun shareOf(bar: ShareBar): JSONObject {
        val (left, top) = placeOf(bar)
        return JSONObject().put("left", left).put("width", bar.width).put("middle", top + bar.height / 2)
    }

    private fun rgb(color: Int) = JSONArray(listOf(16, 8, 0).map { color ushr it and 0xFF })

    private fun textOf(view: TextView): JSONObject {
        val lines: List<Layout.Line> = view.layout?.lines.orEmpty()
        val shown = view.text.toString()
        val words = lines.map { shown.substring(minOf(it.start, shown.length), minOf(it.end, shown.length)) }
        // a line that ends inside a word, or letters below the view's own edge
        val torn = lines.any { it.end < shown.length && shown[it.end] !in " \n" && shown[it.end - 1] != '/' }
        val cut = view.movementMethod == null && view.layout!!.height > view.height - view.compoundPaddingTop - view.compoundPaddingBottom + 1
        val spans = view.text as? SpannableStringBuilder
        val grey = shown.indices.filter { spans?.colorAt(it) == resources.color("@color/text_muted") }.joinToString("") { shown[it].toString() }
        return JSONObject().put("text", shown).put("grey", grey.trim()).put("lines", JSONArray(words)).put("torn", torn).put("cut", cut || view.width <= 0)
    }

    private fun targetOf(view: View): JSONObject {
        val name = view.contentDescription ?: (view as TextView).text
        return JSONObject().put("name", name.toString()).put("enabled", view.isEnabled)
            .put("width_dp", view.width / density.toDouble()).put("height_dp", view.height / density.toDouble())
    }

    private companion object {
        const val BAR_DP = 24
    }
}

private object Nothing : Screen.Actions {
    override fun press() = Unit

    override fun openFile() = Unit

    override fun clear() = Unit

    override fun copy() = Unit

    override fun share() = Unit

    override fun openSettings() = Unit

    override fun choose(threshold: Float) = Unit

    override fun switchSaving(on: Boolean) = Unit
}
