"""Every rule an alert may break on its way in: what becomes of the alert, and the sentence that says so.

`accept` rules are notes: the alert is taken and the reader is told how it was read.
"""

from typing import NamedTuple

from warnhub.alert import Gate


class Rule(NamedTuple):
    """What breaking it means, in Chinese and in English; `{detail}` is filled in by whoever found it."""

    gate: Gate
    zh: str
    en: str

    def message(self, detail: str = "") -> str:
        """Both sentences, Chinese first."""
        tail = f": {detail}" if detail else ""
        return f"{self.zh} / {self.en}{tail}"


A, H, R = Gate.ACCEPT, Gate.HOLD, Gate.REFUSE

RULES: dict[str, Rule] = {
    # the document
    "FILE_UNREADABLE": Rule(R, "文件无法读取", "the file cannot be read"),
    "BODY_EMPTY": Rule(R, "内容为空", "there is nothing here"),
    "BODY_TOO_LARGE": Rule(R, "内容超过大小上限", "the body is larger than allowed"),
    "MEDIA_UNSUPPORTED": Rule(R, "不接受该媒体类型", "this media type is not taken"),
    "FORM_NOT_READ": Rule(R, "尚不能识别的格式", "form not read yet"),
    "XML_NOT_WELL_FORMED": Rule(R, "不是格式良好的 XML", "this is not well-formed XML"),
    "XML_DOCTYPE": Rule(R, "不接受 DOCTYPE 与实体声明", "no DOCTYPE or entity declaration is taken"),
    "XML_ENTITY": Rule(R, "不接受外部或自定义实体", "no entity but XML's own five is taken"),
    "JSON_INVALID": Rule(R, "不是有效的 JSON", "this is not valid JSON"),
    "JSON_DUPLICATE_KEY": Rule(R, "JSON 对象中有重复的键", "a JSON object names the same key twice"),
    "JSON_NOT_A_NUMBER": Rule(R, "不接受 NaN 与 Infinity", "NaN and Infinity are not numbers here"),
    "JSON_TOO_DEEP": Rule(R, "JSON 嵌套过深", "the JSON is nested too deep"),
    "TOO_MANY_ELEMENTS": Rule(R, "一份文档中的元素过多", "too many elements in one document"),
    "TOO_MANY_ALERTS": Rule(R, "一份文档中的预警过多", "too many alerts in one document"),
    "GEOMETRY_TOO_LARGE": Rule(R, "多边形或顶点过多", "too many polygons or points"),
    # trust
    "SIGNATURE_MISSING": Rule(R, "该单位的来文必须签名", "this agency's alerts must be signed"),
    "SIGNATURE_UNPINNED": Rule(R, "该单位尚未登记证书,无法验签", "no certificate is pinned for this agency"),
    "SIGNATURE_INVALID": Rule(H, "签名无效,或签名后内容被改动", "not signed by a pinned certificate, or changed since"),
    "SIGNATURE_UNCHECKED": Rule(A, "有签名但未登记证书,未验签", "signed, but no certificate is pinned: it proves nothing"),
    "SIGNATURE_VERIFIED": Rule(A, "签名有效", "the signature is of a pinned certificate and over all of it"),
    # structure
    "MISSING_REQUIRED_ELEMENT": Rule(R, "缺少必填项", "something required is missing"),
    "UNSUPPORTED_ELEMENT": Rule(H, "出现未定义的项", "this name is not defined here"),
    "REPEATED_ELEMENT": Rule(H, "只应出现一次的项重复出现,取第一个", "this may appear once; the first is used"),
    "ELEMENT_ORDER": Rule(A, "元素顺序与规范不同", "the elements are not in the standard's order"),
    "UNEXPECTED_TEXT": Rule(H, "元素之间有多余文字", "there is text where only elements belong"),
    "NAMESPACE_UNKNOWN": Rule(H, "命名空间不是 CAP 标准的", "not a namespace of the CAP standard"),
    "NAMESPACE_MIXED": Rule(H, "子元素不在根元素的命名空间,按根元素读取", "only the root is in its namespace"),
    "TOO_MANY": Rule(H, "数量超过上限,其余未采用", "more than can be kept; the rest is not used"),
    "INVALID_VALUE": Rule(R, "取值不在允许范围内", "the value is not one of those allowed"),
    "TOO_LONG": Rule(R, "内容超过长度上限", "longer than allowed"),
    "NUMBER_INVALID": Rule(R, "不是数字", "this is not a number"),
    "CARRIED_UNREADABLE": Rule(H, "随附字段(warnhub:)无法采用", "a carried field (warnhub:) cannot be used"),
    # names and references
    "INVALID_IDENTIFIER": Rule(H, "标识不合规范(空格、逗号、< 或 &,或国突编码规则)", "the identifier is not in its form"),
    "INVALID_SENDER": Rule(H, "发送方标识不合规范", "the sender has a space, a comma, < or &"),
    "SENDER_MISMATCH": Rule(H, "标识与发布机构编码不一致", "the identifier is not of this sender code"),
    "INVALID_REFERENCES": Rule(H, "引用格式有误", "the references are not in their form"),
    "MISSING_REFERENCE": Rule(H, "更新或解除未指明所引用的预警", "an update or cancel must name what it follows"),
    "CIRCULAR_REFERENCE": Rule(H, "引用了自身", "it refers to itself"),
    "POSTDATED_REFERENCE": Rule(H, "引用的预警晚于自身", "it refers to an alert sent after it"),
    "FOREIGN_REFERENCE": Rule(H, "引用了其他发布方的预警", "it refers to another sender's alert"),
    # times
    "TIME_INVALID": Rule(R, "时间格式有误", "this is not a date and time"),
    "TIME_IMPLAUSIBLE": Rule(R, "年份不合理", "the year cannot be right"),
    "TIME_WITHOUT_ZONE": Rule(R, "时间缺少时区", "the time has no zone"),
    "TIME_ZONE_ASSUMED": Rule(H, "时间缺少时区,按来源的时区读取", "no zone: read in the source's own"),
    "TIME_ZONE_OF_FORM": Rule(A, "该格式的时间为北京时间", "times of this form are Beijing's"),
    "TIME_AMBIGUOUS": Rule(R, "该地方时不唯一或不存在", "this local time happens twice or never"),
    "SENT_IN_FUTURE": Rule(R, "发送时间晚于当前时间超过2分钟", "sent more than two minutes from now"),
    "EXPIRES_MISSING": Rule(A, "未给出失效时间,采用该灾种的默认时长", "no expiry: the hazard's default life is used"),
    "EXPIRES_BEFORE_SENT": Rule(H, "失效时间不晚于发送时间,采用默认时长", "expires is not after sent: a default life is used"),
    "EXPIRES_BEFORE_ONSET": Rule(A, "失效时间早于开始时间", "it expires before the hazard begins"),
    "EXPIRED": Rule(R, "预警已失效", "the alert has expired"),
    # hazard and level
    "HAZARD_MAPPED": Rule(A, "灾种由来源用语对应", "the hazard is a reading of the source's words"),
    "HAZARD_UNKNOWN": Rule(A, "灾种编码未知,按“其它”显示", "the event is not in the table and is shown as other"),
    "LEVEL_MAPPED": Rule(A, "颜色由来源级别对应", "the colour is a mapping of the source's severity"),
    "HAZARD_CONFLICT": Rule(H, "标题与编码所指灾种不同", "the title names another hazard than the code"),
    "LEVEL_UNKNOWN": Rule(H, "无法确定预警颜色,须人工确认", "no colour can be told; a person must choose"),
    "LEVEL_CONFLICT": Rule(H, "标题颜色与级别字段不一致", "the headline says another colour than the level"),
    "LEVEL_BELOW_BLUE": Rule(H, "来源为绿色(低于蓝色),须人工确认", "the source says green, which is below blue"),
    "TEST_CONTENT": Rule(H, "状态为实际,内容却是测试或演练", "status says actual but the content says test"),
    "LIFTED_NOT_CANCELLED": Rule(H, "标题为解除,类型却不是解除", "the title lifts a warning but the kind is not cancel"),
    "VTEC_INVALID": Rule(A, "VTEC 编码无法读取,未采用", "the VTEC string cannot be read; not used"),
    "VTEC_OVER": Rule(H, "VTEC 表示事件已结束,类型却不是解除", "VTEC says that it is over but the kind is not cancel"),
    # infos and texts
    "MISSING_INFO": Rule(H, "没有预警内容", "the alert says nothing"),
    "INFO_MIXED": Rule(
        H, "含多项不同的预警内容,只采用第一项", "several infos that are no translations: only the first is used"
    ),
    "INFO_TIMES": Rule(A, "各语言版本的起止时间不同,采用第一个的", "the languages give other times: the first one's are used"),
    "INVALID_LANGUAGE": Rule(H, "语言代码有误", "this is not a language code"),
    "SAME_TEXT_DIFFERENT_LANGUAGE": Rule(H, "不同语言的文字完全相同", "two languages say it in the very same words"),
    "TEXT_CLEANED": Rule(A, "已去除控制、方向或私用字符", "control, direction or private-use characters taken out"),
    "HTML_REMOVED": Rule(A, "已去除网页标记", "markup taken out"),
    "TEXT_TOO_LONG": Rule(H, "文字过长,已截断", "the text was too long and is cut"),
    "MESSAGE_TOO_LONG": Rule(H, "短信文字超过该字符集的长度上限", "too long for a short message in this alphabet"),
    "RESTRICTION_MISMATCH": Rule(A, "范围与限制说明不匹配", "scope and restriction do not go together"),
    "INTERNAL_ONLY": Rule(A, "标为内部,按受限处理", "marked internal: read as restricted"),
    "AUDIENCE_IGNORED": Rule(A, "来文指定的号码不采用,由策略决定对象", "numbers in the alert are not used; policy decides"),
    "AUDIENCE_NAMED": Rule(
        H, "非公开来文指定了接收对象,须人工确认告知谁", "it is not public and names who may get it: a person decides"
    ),
    "METHOD_UNKNOWN": Rule(A, "未知的发布手段,未采用", "a channel this house does not know; not used"),
    "INVALID_WEB": Rule(H, "网址不是完整的 http(s) 地址", "the web address is not a full http(s) one"),
    "INVALID_URI": Rule(H, "资源地址有误", "this is not a URI"),
    "INVALID_DEREF_URI": Rule(H, "内嵌资源不是 base64", "the embedded resource is not base64"),
    "INVALID_SIZE": Rule(A, "资源大小不是字节数", "the size is not a number of bytes"),
    # readings
    "TOO_MANY_READINGS": Rule(R, "一份文档中的读数或区域过多", "too many readings or areas in one document"),
    "READING_BELOW": Rule(A, "读数低于全部阈值,不构成预警", "below every threshold: no alert"),
    "READING_OLDER": Rule(A, "同站已有更新的读数,不构成预警", "a newer reading of the same station is here: no alert"),
    "READING_STALE": Rule(A, "读数已过时,不构成预警", "the reading is too old to warn of: no alert"),
    "READING_EMPTY": Rule(A, "没有读数,不构成预警", "nothing was measured: no alert"),
    "LEVEL_DERIVED": Rule(A, "颜色由读数与阈值得出", "the colour follows from the value and its threshold"),
    "THRESHOLDS_ORDER": Rule(H, "阈值高低颠倒,须人工核对", "a graver threshold is below a lesser one"),
    "UNIT_UNKNOWN": Rule(H, "单位未知,按默认单位读取", "an unknown unit: read in the table's own"),
    "PARAMETER_UNKNOWN": Rule(H, "未知的监测要素", "nobody here knows what was measured"),
    "SENDER_ASSUMED": Rule(A, "未写明发布单位,以站点代之", "no sender is named: the station stands for it"),
    "AREA_ASSUMED": Rule(
        H, "区域由发布单位或测站所在地推定,须人工确认", "the area is a guess by the place of sender or station"
    ),
    "JOINT_MISSING": Rule(H, "该级别须两部门联合发布,来文只有一方", "this level is issued by two offices; one is missing"),
    "STATION_TWICE": Rule(R, "测站表中编码重复", "the table names a station twice"),
    "TEXT_ENCODING": Rule(R, "文字编码无法识别", "this is no text in UTF-8, UTF-16 or GB18030"),
    "TABLE_UNKNOWN": Rule(R, "没有可识别的表头", "no line names columns that are known"),
    "TABLE_INVALID": Rule(R, "不是有效的 CSV", "this is not valid CSV"),
    # packages
    "PACKAGE_INVALID": Rule(R, "不是可读的 zip 包", "this is no zip package that is read"),
    "PACKAGE_TOO_LARGE": Rule(R, "zip 包解开后超过上限", "unpacked, the package is larger than allowed"),
    "PACKAGE_EMPTY": Rule(R, "zip 包中没有预警文件", "there is no message in the package"),
    "RESOURCE_MISMATCH": Rule(H, "附件与来文所述的大小或摘要不符", "the attachment is not what the message says of it"),
    "FILENAME_MISMATCH": Rule(H, "文件名与内容不符", "the file's name says something else than the message"),
    # places
    "AREA_BY_CODE": Rule(H, "没有几何范围,只有其他体系的区域编码,须人工确认", "no geometry: a person must place these codes"),
    "NO_AREA": Rule(H, "没有可定位的区域", "no area can be placed"),
    "INVALID_AREA": Rule(H, "区域描述有误", "the area does not hold together"),
    "INVALID_HEIGHT": Rule(H, "高度有误", "altitude or ceiling cannot be right"),
    "GEOCODE_INVALID": Rule(H, "区域编码有误", "this is not a place code"),
    "GEOCODE_EMPTY": Rule(A, "区域编码为空", "the place code is empty"),
    "GEOMETRY_NOT_AREA": Rule(H, "几何类型不是面", "this geometry is no area"),
    "POLYGON_EMPTY": Rule(A, "多边形为空,使用其他区域信息", "the polygon is empty; the other fields are used"),
    "POLYGON_UNREADABLE": Rule(H, "多边形坐标无法读取", "the polygon's coordinates cannot be read"),
    "POLYGON_TOO_FEW_POINTS": Rule(H, "多边形不足4个点", "a ring needs four points"),
    "POLYGON_NOT_CLOSED": Rule(H, "多边形未闭合", "the ring does not end where it began"),
    "POLYGON_DEGENERATE": Rule(H, "多边形面积为零", "the ring encloses nothing"),
    "POLYGON_SELF_CROSSING": Rule(H, "多边形自相交", "the ring crosses itself"),
    "POLYGON_REPEATED_POINTS": Rule(A, "多边形有重复顶点,已合并", "repeated vertices are merged"),
    "POLYGON_OUT_OF_RANGE": Rule(H, "坐标超出范围", "coordinates out of range"),
    "POLYGON_SWAPPED": Rule(H, "经纬度疑似颠倒", "latitude and longitude seem swapped"),
    "POLYGON_ORDER": Rule(A, "按“纬度,经度”读取", "read as latitude, longitude"),
    "DATUM_CONVERTED": Rule(A, "坐标由 GCJ-02 换算为 WGS-84", "turned from GCJ-02 into WGS-84"),
    "POLYGON_ANTIMERIDIAN": Rule(H, "多边形跨度超过180度", "the polygon is wider than 180 degrees"),
    "CIRCLE_EMPTY": Rule(A, "圆为空,使用其他区域信息", "the circle is empty; the other fields are used"),
    "CIRCLE_UNREADABLE": Rule(H, "圆的坐标或半径无法读取", "the circle cannot be read"),
    "CIRCLE_OUT_OF_RANGE": Rule(H, "圆心或半径超出范围", "the circle's centre or radius is out of range"),
    "CIRCLE_IMPLAUSIBLE": Rule(H, "半径不合理,疑似单位有误", "the radius is odd: kilometres or metres?"),
    "EXCLUSION_UNUSED": Rule(H, "排除区域无法使用", "the excluded part cannot be taken out"),
}
