package org.edge_asr.demo.screen

import android.Manifest
import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.ClipData
import android.content.ClipboardManager
import android.content.Context
import android.content.Intent
import android.content.pm.PackageManager
import android.net.Uri
import android.os.Bundle
import android.provider.Settings
import android.view.WindowManager
import android.widget.Toast
import org.edge_asr.core.live.Event
import org.edge_asr.core.live.Phase
import org.edge_asr.core.live.ScreenState
import org.edge_asr.demo.DemoApplication
import org.edge_asr.demo.R
import org.edge_asr.demo.live.LiveController

/** The one screen. What goes on lives in [LiveController], which outlives it when the phone is turned. */
class MainActivity : Activity(), Screen.Actions {
    private lateinit var live: LiveController

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        live = (application as DemoApplication).live
        setContentView(R.layout.main)
        keepClearOfSystem(findViewById(R.id.screen))
    }

    override fun onStart() {
        super.onStart()
        val screen = Screen(findViewById(R.id.screen), this, still = animationsAreOff())
        live.watch { state ->
            screen.show(state)
            keepAwake(state)
        }
    }

    override fun onStop() {
        live.unwatch()
        if (!isChangingConfigurations) live.happened(Event.Left)
        super.onStop()
    }

    override fun press() {
        live.happened(Event.Pressed(mayRecord = checkSelfPermission(Manifest.permission.RECORD_AUDIO) == PackageManager.PERMISSION_GRANTED))
        if (live.state.situation.phase == Phase.ASKING) requestPermissions(arrayOf(Manifest.permission.RECORD_AUDIO), ASK_MICROPHONE)
    }

    override fun onRequestPermissionsResult(requestCode: Int, permissions: Array<out String>, grantResults: IntArray) {
        if (requestCode != ASK_MICROPHONE) return
        val granted = grantResults.firstOrNull() == PackageManager.PERMISSION_GRANTED
        val asksNoMore = grantResults.isNotEmpty() && !shouldShowRequestPermissionRationale(Manifest.permission.RECORD_AUDIO)
        live.happened(if (granted) Event.PermissionGranted else Event.PermissionDenied(forGood = asksNoMore))
    }

    override fun openFile() {
        val request = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("audio/*")
        request.putExtra(Intent.EXTRA_MIME_TYPES, WAV_TYPES)
        try {
            startActivityForResult(request, PICK_FILE)
        } catch (_: ActivityNotFoundException) {
            say(R.string.no_file_picker)
        }
    }

    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        val picked = data?.data
        if (requestCode == PICK_FILE && resultCode == RESULT_OK && picked != null) live.openFile(picked)
    }

    override fun clear() = live.clear()

    override fun copy() {
        val clipboard = getSystemService(Context.CLIPBOARD_SERVICE) as ClipboardManager
        clipboard.setPrimaryClip(ClipData.newPlainText(getString(R.string.transcript_description), live.state.wholeText))
        say(R.string.copied)
    }

    override fun share() {
        val text = Intent(Intent.ACTION_SEND).setType("text/plain").putExtra(Intent.EXTRA_TEXT, live.state.wholeText)
        try {
            startActivity(Intent.createChooser(text, getString(R.string.share_title)))
        } catch (_: ActivityNotFoundException) {
            say(R.string.no_share)
        }
    }

    override fun openSettings() {
        startActivity(Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, Uri.fromParts("package", packageName, null)))
    }

    override fun choose(threshold: Float) = live.choose(threshold)

    override fun switchSaving(on: Boolean) = live.switchSaving(on)

    /** Who dictates does not touch the screen, and a dark screen ends the listening. */
    private fun keepAwake(state: ScreenState) {
        if (state.situation.takesInput) {
            window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        } else {
            window.clearFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        }
    }

    private fun animationsAreOff() = Settings.Global.getFloat(contentResolver, Settings.Global.ANIMATOR_DURATION_SCALE, 1f) == 0f

    private fun say(text: Int) = Toast.makeText(this, text, Toast.LENGTH_SHORT).show()

    private companion object {
        const val ASK_MICROPHONE = 1
        const val PICK_FILE = 2
        val WAV_TYPES = arrayOf("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave")
    }
}
